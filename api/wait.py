"""Wait for a version of a user or for an event, so that who has written reads what was written.

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

from api.authorize import may_see_event
from api.database import DatabaseUnavailableError
from api.page import invalid, read_query
from api.read.awaited import Freshness, read_awaited
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from api.admit import Viewer
    from api.bound import Places
    from api.database import Pool
    from api.follow import Tail
    from api.read.awaited import Awaited
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
        return preference_applied(self.wait_s if self.preferred else None)


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
    wait_s = read_preference(preferences)
    if wait_s is None:
        return Wish(values["min_version"])
    return Wish(values["min_version"], wait_s, preferred=True)


def read_preference(preferences: Sequence[str]) -> int | None:
    """Return for how many seconds the headers `Prefer` want to wait, at most MAX_WAIT_S.

    None where they say nothing of it that can be read: RFC 7240 has it ignored.
    """
    for each in ",".join(preferences).split(","):
        if preference := _PREFERENCE.fullmatch(each):
            return min(int(preference[2]), MAX_WAIT_S)
    return None


def preference_applied(wait_s: int | None) -> Mapping[str, str]:
    """Return the header that says which preference was followed, where one was (RFC 7240 §3)."""
    return {} if wait_s is None else {"Preference-Applied": f"wait={wait_s}"}


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


class Goal(NamedTuple):
    """What somebody waits for."""

    user_id: UUID
    """What is told of this user may mean that it is there."""
    is_reached: Callable[[Awaited], bool]
    event_id: str | None = None
    """The event, where it is one that is waited for."""


def version_goal(user_id: UUID, version: int) -> Goal:
    """Return the goal that a user has reached a version."""
    return Goal(user_id, lambda found: has_reached(found.users.get(user_id), version))


def event_goal(event_id: str, viewer: Viewer) -> Goal:
    """Return the goal that an event is recorded which this caller may see.

    One that they may not see is waited for in vain, like one that does not exist.
    """

    def is_reached(found: Awaited) -> bool:
        about = found.events.get(event_id)
        return event_id in found.events and may_see_event(viewer, about=about)

    return Goal(viewer.user_id, is_reached, event_id)


class _Waiting(NamedTuple):
    goal: Goal
    reached: asyncio.Future[None]


class Waits:
    """Everybody who waits for something to be written."""

    def __init__(self, pool: Pool, *, tail: Tail, metrics: ApiMetrics, places: Places) -> None:
        self._pool = pool
        self._tail = tail
        self._metrics = metrics
        self._places = places
        self._waiting: defaultdict[UUID, set[_Waiting]] = defaultdict(set)
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def until_reached(self, goal: Goal, *, within_s: float, caller: Caller) -> bool:
        """Return when the goal is reached, or when time is up, and which of the two it is.

        Raises HttpError 503 or 429 when too many wait already.
        """
        with self._places.taken(caller.clerk_id):
            reached = await self._wait(goal, within_s)
        self._metrics.version_waits.labels("reached" if reached else "not_reached").inc()
        return reached

    async def close(self) -> None:
        """Stop looking."""
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _wait(self, goal: Goal, within_s: float) -> bool:
        waiting = _Waiting(goal, asyncio.get_running_loop().create_future())
        self._waiting[goal.user_id].add(waiting)
        self._news.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(within_s):
                await waiting.reached
        except TimeoutError:
            return False
        finally:
            self._waiting[goal.user_id].discard(waiting)
            if not self._waiting[goal.user_id]:
                del self._waiting[goal.user_id]
        return True

    async def _look(self) -> None:
        """Look for what is waited for, until there is nobody any more."""
        with self._tail.watched(self._notice):
            while self._waiting:
                self._news.clear()
                await self._look_once()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._news.wait()

    def _notice(self, user_id: UUID) -> None:
        if user_id in self._waiting:
            self._news.set()

    async def _look_once(self) -> None:
        goals = [each.goal for waiting in self._waiting.values() for each in waiting]
        try:
            found = await read_awaited(
                self._pool,
                users={goal.user_id for goal in goals if goal.event_id is None},
                events={goal.event_id for goal in goals if goal.event_id is not None},
            )
        except DatabaseUnavailableError:
            return  # whoever waits will be told when time is up
        for waiting in self._waiting.values():
            for goal, reached in waiting:
                if goal.is_reached(found) and not reached.done():
                    reached.set_result(None)


WAITS: Final = web.AppKey("waits", Waits)
"""Where handlers find them."""
