"""What callers may do, kept for a moment: read once for all that a session asks meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from cachetools import TTLCache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from api.read import Standing

MAX_USERS: Final = 10_000
"""Whose standings are kept; the least recently read make room."""
MAX_SESSIONS: Final = 20
"""How many sessions of one user are told apart; real users have one for each device."""
KEPT_S: Final = 60.0
"""How long a standing is worth knowing while the database is away."""


class Key(NamedTuple):
    """Whose standing, and in which session."""

    user_id: UUID
    session_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the database said of a caller and their session."""

    standing: Standing | None
    session_ended: bool
    read_at: float
    """When it was asked, on the clock of the standings."""
    fresh: bool = True
    """Whether nobody told of a change since."""


class Standings:
    """Remembers what was read."""

    def __init__(
        self,
        *,
        ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """For `ttl_s` seconds nothing is read twice; 0 reads for every request anew."""
        self.clock = clock
        self._ttl_s = ttl_s
        self._users: TTLCache[UUID, dict[UUID | None, Found]] = TTLCache(
            MAX_USERS, ttl=KEPT_S, timer=clock
        )
        self._reading: dict[Key, asyncio.Task[Found]] = {}

    def fresh(self, key: Key) -> Found | None:
        """Return what is new enough to go by."""
        found = self._known(key)
        if found is None or not found.fresh or self.clock() - found.read_at >= self._ttl_s:
            return None
        return found

    def last(self, key: Key) -> Found | None:
        """Return what was known last, up to KEPT_S ago."""
        found = self._known(key)
        return found if found and self.clock() - found.read_at < KEPT_S else None

    async def read(self, key: Key, ask: Callable[[], Awaitable[Found]]) -> Found:
        """Return what `ask` finds; requests that come meanwhile wait for the same answer.

        One of them that goes away takes the answer from nobody.
        """
        reading = self._reading.get(key)
        if reading is None or not self._ttl_s:
            reading = asyncio.create_task(self._read(key, ask))
            self._reading[key] = reading
            reading.add_done_callback(_retrieve)
        return await asyncio.shield(reading)

    def forget(self, user_id: UUID) -> None:
        """Read anew what this user may do; what is being read now may be old already."""
        sessions = self._users.get(user_id, {})
        for session_id, found in sessions.items():
            sessions[session_id] = replace(found, fresh=False)
        for key in [each for each in self._reading if each.user_id == user_id]:
            del self._reading[key]

    def _known(self, key: Key) -> Found | None:
        # Every request comes by here, and `get` would look twice.
        try:
            return self._users[key.user_id].get(key.session_id)
        except KeyError:
            return None

    async def _read(self, key: Key, ask: Callable[[], Awaitable[Found]]) -> Found:
        task = asyncio.current_task()
        try:
            found = await ask()
            current = self._reading.get(key) is task
            self._keep(key, found if current else replace(found, fresh=False))
            return found
        finally:
            if self._reading.get(key) is task:
                del self._reading[key]

    def _keep(self, key: Key, found: Found) -> None:
        sessions = self._users.get(key.user_id, {})
        known = sessions.get(key.session_id)
        if known and known.read_at > found.read_at:
            return
        if len(sessions) >= MAX_SESSIONS:
            sessions = {}
        # Put anew, so that the cache counts KEPT_S from here.
        self._users[key.user_id] = {**sessions, key.session_id: found}


def _retrieve(reading: asyncio.Task[Found]) -> None:
    if not reading.cancelled():
        reading.exception()  # whoever waited has it; asyncio would complain that nobody did
