"""Tell a worker that waits rightly from one that only a restart brings on.

Whoever waits for PostgreSQL, for a record that is due later or for Kafka turns meanwhile, or Kafka
does not answer anybody else either; a restart would change nothing then.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schema.kafka.connections import connection_arguments
from schema.ops.probes import CheckFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from schema.ops.settings import KafkaSettings
    from workers.commit import Control

STUCK_S: Final = 300.0
"""Far more than any step may take: each waits for PostgreSQL 30 s at most, and for Kafka 10 s."""

ANSWERING_S: Final = 60.0
"""So long Kafka has answered others before it counts: after an outage, a commit needs a moment."""

ASK_WITHIN_S: Final = 1.5
"""Less than a probe's check may take."""


class Progress:
    """When a loop has turned last; may be asked at any time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turned_s: float | None = None

    def turn(self, *, rest_s: float = 0.0) -> None:
        """Note that the loop goes on, and that it rests so long before it does again."""
        self._turned_s = self._clock() + rest_s

    @property
    def stalled_s(self) -> float:
        """For how long it should have turned and has not; 0 before it has begun."""
        return 0.0 if self._turned_s is None else max(0.0, self._clock() - self._turned_s)


async def answers_for(settings: KafkaSettings, group: str) -> bool:
    """Say whether Kafka tells a stranger the offsets of a group; takes ASK_WITHIN_S at most."""
    admin = AIOKafkaAdminClient(
        **connection_arguments(settings),
        client_id="clerkwork-worker",
        request_timeout_ms=int(ASK_WITHIN_S * 1000),
    )
    try:
        async with asyncio.timeout(ASK_WITHIN_S):
            await admin.start()
            await admin.list_consumer_group_offsets(group)
    except (KafkaError, OSError):
        return False
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await admin.close()
    return True


class Watch:
    """Looks whether the loops of a process turn, and whether what they do is confirmed."""

    def __init__(
        self,
        controls: Sequence[Control],
        settings: KafkaSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controls = controls
        self._settings = settings
        self._clock = clock
        self._answering_s: float | None = None

    async def check_turning(self) -> None:
        """Raise CheckFailedError when a loop has not turned for STUCK_S."""
        for control in self._controls:
            if control.progress.stalled_s > STUCK_S:
                raise CheckFailedError(f"{control.group} has not turned for {STUCK_S:.0f} s")

    async def check_commits(self) -> None:
        """Raise CheckFailedError when no commit has succeeded for STUCK_S, and others' would.

        That is, Kafka has answered whoever asked for the group's offsets for ANSWERING_S.
        """
        stuck = [each for each in self._controls if each.unconfirmed_s > STUCK_S]
        if not (stuck and await answers_for(self._settings, stuck[0].group)):
            self._answering_s = None
            return
        if self._answering_s is None:
            self._answering_s = self._clock()
        if self._clock() - self._answering_s >= ANSWERING_S:
            raise CheckFailedError(
                f"{stuck[0].group} has had nothing confirmed for {STUCK_S:.0f} s;"
                " Kafka answers others"
            )
