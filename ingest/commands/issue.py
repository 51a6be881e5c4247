"""Issue a command: its time, and the record that carries it. No I/O."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from schema.kafka.clerk import time_from_ms
from schema.kafka.commands import SOURCE, TYPES, Command, write_command
from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.producer import Record
from schema.kafka.topics import USER_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_USERS: Final = 10_000
"""Users whose latest time is kept."""
MAX_AHEAD_MS: Final = 60_000
"""A latest time further ahead of the clock than this is from before the clock was set."""


class Times:
    """Times for commands: those of one user differ, and increase in the order of their giving."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._latest: LRUCache[str, int] = LRUCache(MOST_USERS)

    def next(self, clerk_id: str) -> int:
        """Return the time of a command that is given now, in milliseconds since 1970.

        Other processes' commands of the same user may have the same time; the id decides then.
        """
        now = int(self._clock() * 1000)
        latest = self._latest.get(clerk_id, 0)
        issued = latest + 1 if now <= latest < now + MAX_AHEAD_MS else now
        self._latest[clerk_id] = issued
        return issued


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A command with all that belongs to it."""

    command: Command
    event_id: str
    issued_ms: int
    request_id: str


def write_record(issued: Issued) -> Record:
    """Return the record of a command, keyed by its user."""
    clerk_id = issued.command.user_id
    headers = EventHeaders(
        event_id=issued.event_id,
        event_type=TYPES[type(issued.command)],
        source=SOURCE,
        occurred_at=time_from_ms(issued.issued_ms),
        subject=clerk_id,
        request_id=issued.request_id,
    )
    return Record(
        topic=USER_COMMANDS.name,
        key=clerk_id.encode(),
        value=write_command(issued.command, issued_ms=issued.issued_ms),
        headers=write_event_headers(headers),
    )
