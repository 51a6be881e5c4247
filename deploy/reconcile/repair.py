"""Repair: publish what Clerk has, or has no more, on the path that webhooks take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
from aiokafka import TopicPartition

from deploy.clerk.publish import publish
from deploy.clerk.resources import RESOURCES
from deploy.reconcile.confirm import AT_ONCE
from deploy.reconcile.drift import ABSENT
from deploy.reconcile.look import MANY, look, look_for_users
from schema.clerk.client import NotAtClerkError
from schema.kafka.clerk import MalformedEventError
from schema.kafka.snapshots import write_absence, write_snapshot
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from deploy.clerk.sides import Sides
    from deploy.reconcile.look import Suspect
    from schema.kafka.producer import Producer, Record
    from schema.kafka.snapshots import Kind

KINDS: Final[Mapping[str, Kind]] = {
    **{resource.name: resource.kind for resource in RESOURCES},
    "sessions": "session",
}
"""Resource -> what its things are called in the types of events."""

_LOWEST: Final = uuid.UUID(int=0)
_SQL: Final = read_statements(__file__)


@dataclass(kw_only=True)
class Repair:
    """What is being published."""

    sides: Sides
    producer: Producer
    refused: frozenset[str]
    """Resources of which nothing is deleted."""
    force: bool
    published: dict[str, int] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    """Where what was published ends."""

    async def publish_all(self) -> None:
        """Publish what mends the suspects; what is newest at Clerk by now, not what was seen."""
        await self._publish_snapshots()
        for resource in (each.name for each in RESOURCES):
            # Memberships end with users and organizations: none, while those are in doubt.
            if resource not in self.refused and not (resource == "memberships" and self.refused):
                await self._publish_absences(resource)
        if not self.refused:
            await self._publish_sessions()

    async def _publish_snapshots(self) -> None:
        async for users in self._list("users", "missing", "stale", batch=MANY):
            wanted = [user["clerk_id"] for user in users]
            found, clock_ms = await look_for_users(self.sides.clerk, wanted)
            await self._send("users", _write("user", found.values(), clock_ms))
        for resource in ("organizations", "memberships"):
            async for suspects in self._list(resource, "missing", "stale"):
                looks = [self._look(resource, suspect) for suspect in suspects]
                records = await asyncio.gather(*looks)
                await self._send(resource, [record for record in records if record])

    async def _look(self, resource: str, suspect: Suspect) -> Record | None:
        """Return the record of what Clerk has; None where it has nothing that can be kept."""
        try:
            answer = await look(self.sides.clerk, resource, suspect)
        except NotAtClerkError:
            return None  # gone since its page: the next run sees that
        records = _write(KINDS[resource], [answer.body], answer.clock_ms)
        return records[0] if records else None

    async def _publish_absences(self, resource: str) -> None:
        kinds = [*ABSENT, *(["restored"] if self.force else [])]
        async for suspects in self._list(resource, *kinds):
            known = await self._describe(resource, suspects)
            await self._send(
                resource,
                [
                    write_absence(
                        KINDS[resource],
                        known[suspect["id"]],
                        looker="reconcile",
                        clock_ms=suspect["clock_ms"],
                    )
                    for suspect in suspects
                    if suspect["id"] in known
                ],
            )

    async def _describe(
        self, resource: str, suspects: Sequence[Suspect]
    ) -> Mapping[uuid.UUID, bytes]:
        if resource != "memberships":
            return {
                each["id"]: msgspec.json.encode({"id": each["clerk_id"], "deleted": True})
                for each in suspects
            }
        ids = [suspect["id"] for suspect in suspects]
        rows = await self.sides.connection.fetch(_SQL["describe_memberships"], ids)
        return {row["id"]: row["known"].encode() for row in rows}

    async def _publish_sessions(self) -> None:
        async for sessions in self._list("sessions", "orphaned"):
            looks = [self._look_at_session(session) for session in sessions]
            records = await asyncio.gather(*looks)
            await self._send("sessions", [record for record in records if record])

    async def _look_at_session(self, session: Suspect) -> Record | None:
        try:
            answer = await look(self.sides.clerk, "sessions", session)
        except NotAtClerkError as error:
            known = {
                "id": session["clerk_id"],
                "user_id": session["user_id"],
                "updated_at": session["version"],
            }
            return write_absence(
                "session",
                json.dumps(known).encode(),
                looker="reconcile",
                clock_ms=error.clock_ms,
            )
        records = _write("session", [answer.body], answer.clock_ms)
        return records[0] if records else None

    async def _list(
        self, resource: str, *kinds: str, batch: int = AT_ONCE
    ) -> AsyncIterator[Sequence[Suspect]]:
        after = _LOWEST
        while rows := await self.sides.connection.fetch(
            _SQL["list_suspects"], resource, list(kinds), after, batch
        ):
            after = rows[-1]["id"]
            yield rows

    async def _send(self, resource: str, records: Sequence[Record]) -> None:
        for each in await publish(self.producer, records):
            place = TopicPartition(each.topic, each.partition)
            self.ends[place] = max(self.ends.get(place, 0), each.offset + 1)
        self.published[resource] = self.published.get(resource, 0) + len(records)


def _write(kind: Kind, things: Iterable[bytes], clock_ms: int) -> list[Record]:
    """Return the records of what Clerk has, but for what cannot be kept."""
    records: list[Record] = []
    for thing in things:
        with contextlib.suppress(MalformedEventError):
            records.append(write_snapshot(kind, thing, looker="reconcile", seen_ms=clock_ms))
    return records
