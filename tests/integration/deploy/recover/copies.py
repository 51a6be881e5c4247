"""A service with a copy of the users, which lives through everything: the README's, in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schema.kafka.headers import read_headers
from schema.kafka.topics import USER_CHANGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import ConsumerRecord

PLACES = [TopicPartition(USER_CHANGES.name, n) for n in range(USER_CHANGES.partitions)]


@dataclass(kw_only=True)
class Copy:
    """Who is there, as the change topic tells."""

    bootstrap_servers: str
    users: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Clerk's id -> sequence and state."""
    positions: dict[TopicPartition, int] = field(default_factory=dict)

    async def read_on(self) -> Mapping[str, str | None]:
        """Take what is new, and return the first names of all."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            consumer.assign(PLACES)
            for place in PLACES:
                consumer.seek(place, self.positions.get(place, 0))
            ends = await consumer.end_offsets(PLACES)
            while any([await consumer.position(place) < ends[place] for place in PLACES]):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        self.keep(record)
            self.positions = {place: await consumer.position(place) for place in PLACES}
        finally:
            await consumer.stop()
        return {user: state["first_name"] for user, (_, state) in self.users.items()}

    def keep(self, change: ConsumerRecord[Any, Any]) -> None:
        """Apply one change, as the README's consumer does."""
        clerk_id, sequence = (
            (change.key or b"").decode(),
            int(read_headers(change.headers)["ce_sequence"]),
        )
        if read_headers(change.headers)["ce_type"] == "clerkwork.canary":
            return
        if self.users.get(clerk_id, (-1, None))[0] >= sequence:
            return
        if change.value is None:
            self.users.pop(clerk_id, None)
        else:
            self.users[clerk_id] = sequence, json.loads(change.value)
