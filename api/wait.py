"""Wait until a user has reached a version, so that who has written reads what was written.

No connection is held while waiting. The tail says of whom something was told; a change that
others cannot see is told to nobody, so that one statement for all who wait looks every POLL_S.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from api.database import DatabaseUnavailableError
from api.page import invalid, read_query
from api.read import Freshness, read_versions
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from api.bound import Places
    from api.database import Pool
    from api.follow import Tail
    from schema.http.tokens.claims import Caller
    from schema.ops.metrics import ApiMetrics
    from schema.postgres.rows import UsersRow

DEFAULT_WAIT_S: Final = 5
MAX_WAIT_S: Final = 10
"""Drains last 20 s: who waits gets an answer before the process stops."""
POLL_S: Final = 0.1
MAX_VERSION: Final = 2**53
"""What JSON numbers hold exactly in every language; in milliseconds far beyond the year 9999."""

_VERSION: Final = re.compile(r"[0-9]{1,16}", re.ASCII)
# RFC 7240 §2: names in any case, values with or without quotes, parameters after a semicolon.
_PREFERENCE: Final = re.compile(
    r'[ \t]*wait[ \t]*=[ \t]*("?)([0-9]{1,9})\1[ \t]*(?:;.*)?', re.ASCII | re.IGNORECASE
)


class Wish(NamedTuple):
    """How new a user has to be, and how long that may take."""

    min_version: int
    wait_s: int = DEFAULT_WAIT_S
    preferred: bool = False
    """Whether the caller said how long."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Say which preference was followed, where there was one (RFC 7240 §3)."""
        return {"Preference-Applied": f"wait={self.wait_s}"} if self.preferred else {}


class VersionNotReachedError(HttpError):
    """The user has not reached the version in time."""

    def __init__(self, wish: Wish) -> None:
        super().__init__(
            "VERSION_NOT_REACHED",
            f"The user has not reached this version within {wish.wait_s} s; ask again.",
            details={"min_version": wish.min_version},
            headers={"Retry-After": "1", **wish.headers},
        )


def read_wish(query: Iterable[tuple[str, str]], preferences: Sequence[str]) -> Wish | None:
    """Return what `min_version` and the headers `Prefer` ask for, None without the former.

    A preference that cannot be read is ignored, as RFC 7240 has it. Raises HttpError 400.
    """
    values = read_query(query, {"min_version": parse_min_version})
    if "min_version" not in values:
        return None
    for each in ",".join(preferences).split(","):
        if preference := _PREFERENCE.fullmatch(each):
            wait_s = min(int(preference[2]), MAX_WAIT_S)
            return Wish(values["min_version"], wait_s, preferred=True)
    return Wish(values["min_version"])


def parse_min_version(text: str) -> int:
    """Read a version. Raises HttpError 400 INVALID_MIN_VERSION."""
    if not _VERSION.fullmatch(text) or int(text) > MAX_VERSION:
        message = "A version is a whole number from 0 to 2^53."
        raise invalid("min_version", "INVALID_MIN_VERSION", message)
    return int(text)


def has_reached(user: UsersRow | Freshness | None, version: int) -> bool:
    """Say whether there is no more to wait for: the user is that new, or gone for good.

    Who was only mentioned so far, pending with version 0, is still to come.
    """
    if user is None:
        return False
    if user.status == "deleted":
        return True
    return user.version >= version and (user.version > 0 or user.status != "pending")


class _Goal(NamedTuple):
    version: int
    reached: asyncio.Future[None]


class Waits:
    """Everybody who waits for a user to reach a version."""

    def __init__(self, pool: Pool, *, tail: Tail, metrics: ApiMetrics, places: Places) -> None:
        self._pool = pool
        self._tail = tail
        self._metrics = metrics
        self._places = places
        self._goals: defaultdict[UUID, set[_Goal]] = defaultdict(set)
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def until_reached(self, user_id: UUID, wish: Wish, *, caller: Caller) -> None:
        """Return when the user has reached what is wished for, or when time is up.

        Raises HttpError 503 or 429 when too many wait already.
        """
        with self._places.taken(caller.clerk_id):
            outcome = "reached" if await self._wait(user_id, wish) else "not_reached"
        self._metrics.version_waits.labels(outcome).inc()

    async def close(self) -> None:
        """Stop looking."""
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _wait(self, user_id: UUID, wish: Wish) -> bool:
        goal = _Goal(wish.min_version, asyncio.get_running_loop().create_future())
        self._goals[user_id].add(goal)
        self._news.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(wish.wait_s):
                await goal.reached
        except TimeoutError:
            return False
        finally:
            self._goals[user_id].discard(goal)
            if not self._goals[user_id]:
                del self._goals[user_id]
        return True

    async def _look(self) -> None:
        """Look at those who are waited for, until there is nobody any more."""
        with self._tail.watched(self._notice):
            while self._goals:
                self._news.clear()
                await self._look_once()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._news.wait()

    def _notice(self, user_id: UUID) -> None:
        if user_id in self._goals:
            self._news.set()

    async def _look_once(self) -> None:
        try:
            found = await read_versions(self._pool, self._goals)
        except DatabaseUnavailableError:
            return  # whoever waits will be told when time is up
        for user_id, goals in self._goals.items():
            for goal in goals:
                if has_reached(found.get(user_id), goal.version) and not goal.reached.done():
                    goal.reached.set_result(None)


WAITS: Final = web.AppKey("waits", Waits)
"""Where handlers find them."""
