"""Follow the outbox: one tail per process reads each change once, for everybody who reads along.

It follows only while somebody does, over one connection of its own. PostgreSQL wakes it with a
notification; a look every POLL_S finds what no notification told of.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg
import structlog

from api.authorize import is_admin
from api.database import ACQUIRE_S, DRIVER_ERRORS, QUERY_S, is_not_now
from api.present import present_event
from api.read import Change, Standing
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from api.database import Connections
    from schema.http.tokens.claims import Caller

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger(__name__)

CHANNEL: Final = "clerkwork_outbox"
"""Where workers say that there is something new; see tell.sql."""
POLL_S: Final = 1.0
IDLE_S: Final = 30.0
"""The connection is kept this long after the last reader, for the next one."""
PAGE: Final = 100
"""Changes read at a time; readers get their turn between two pages."""
BACKOFF_S: Final = 0.1
MAX_BACKOFF_S: Final = 5.0

_SQL: Final = read_statements(__file__)


class Frame(NamedTuple):
    """A change, ready to be sent to all who may see it."""

    position: int
    data: bytes


class Subscription:
    """What the tail has read and one stream has not sent yet, up to `limit` changes."""

    def __init__(self, caller: Caller, standing: Standing | None, *, limit: int) -> None:
        self.owner = caller.clerk_id
        self.owner_id = caller.user_id
        self.standing = standing
        self.sees_all = is_admin(standing)
        self.behind = False
        """Whether there was more than it holds: then it holds nothing until `reset`."""
        self._limit = limit
        self._frames: list[Frame] = []
        self._news = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Add a change; the one too many leaves it behind. Never waits."""
        if self.behind or len(self._frames) >= self._limit:
            self.behind = True
            self._frames.clear()
        else:
            self._frames.append(frame)
        self._news.set()

    def learn(self, standing: Standing | None) -> None:
        """Take note of what the database says of the caller now."""
        if standing != self.standing:
            self.standing = standing
            self._news.set()

    async def take(self, *, within_s: float) -> list[Frame]:
        """Return what there is, in order; wait for it no longer than `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._news.wait()
        self._news.clear()
        frames, self._frames = self._frames, []
        return frames

    def reset(self) -> None:
        """Forget what there is and begin anew."""
        self._frames = []
        self.behind = False


class Tail:
    """Reads new changes and hands them to those who may see them."""

    def __init__(self, pool: Connections, *, check_s: float) -> None:
        """`pool` is for this alone; standings are read again every `check_s`."""
        self.position: int | None = None
        """Whoever reads along was offered all they may see up to here; None before the start."""
        self._pool = pool
        self._check_s = check_s
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._all_seeing: set[Subscription] = set()
        self._watchers: list[Callable[[UUID], None]] = []
        self._joined = asyncio.Event()
        self._news = asyncio.Event()
        self._left_at = -IDLE_S
        self._away_since: float | None = None
        self._failures = 0

    @contextmanager
    def attached(self, subscription: Subscription, *, at: int) -> Iterator[None]:
        """Offer to `subscription` all that its caller may see after `self.position`.

        Where nobody reads along yet the tail begins at `at`.
        """
        if self.position is None:
            self.position = at
        readers = self._subscriptions[subscription.owner]
        readers.add(subscription)
        if subscription.sees_all:
            self._all_seeing.add(subscription)
        self._joined.set()
        try:
            yield
        finally:
            readers.discard(subscription)
            self._all_seeing.discard(subscription)
            if not readers:
                self._subscriptions.pop(subscription.owner, None)
            self._left_at = time.monotonic()

    @contextmanager
    def watched(self, by: Callable[[UUID], None]) -> Iterator[None]:
        """Call `by` with the id of every user of whom something is told."""
        self._watchers.append(by)
        self._joined.set()
        try:
            yield
        finally:
            self._watchers.remove(by)
            self._left_at = time.monotonic()

    def away_s(self) -> float:
        """Return for how long PostgreSQL has been away, 0 when it is not."""
        return 0.0 if self._away_since is None else time.monotonic() - self._away_since

    async def run(self) -> None:
        """Follow while somebody reads along, until cancelled."""
        while True:
            if not self._is_wanted():
                self.position = None
                self._joined.clear()
                await self._joined.wait()
            try:
                await self._follow()
            except DRIVER_ERRORS as error:
                if not is_not_now(error):
                    log.exception("tail_failed")
                await self._back_off(error)
            except Exception as error:
                # A tail that dies of a bug would leave all streams silent, and nobody would know.
                log.exception("tail_failed")
                await self._back_off(error)

    def _is_wanted(self) -> bool:
        read = self._subscriptions or self._watchers
        return bool(read) or time.monotonic() - self._left_at < IDLE_S

    async def _back_off(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("tail_interrupted", reason=type(error).__name__)
        longest = min(MAX_BACKOFF_S, BACKOFF_S * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        await asyncio.sleep(longest * random.uniform(0.5, 1))  # noqa: S311 - only spreads the load

    async def _follow(self) -> None:
        async with self._pool.acquire(timeout=ACQUIRE_S) as connection:
            try:
                await connection.add_listener(CHANNEL, lambda *_: self._news.set())
                # From here on nothing can be told without waking us.
                if self.position is None:
                    head = await connection.fetchval(_SQL["read_head"], timeout=QUERY_S)
                    self.position = head if self.position is None else self.position
                self._away_since, self._failures = None, 0
                await self._keep_up(connection)
            finally:
                # Releasing it could wait for a server that hangs. One that is lost cannot be ended.
                with suppress(asyncpg.InterfaceError):
                    connection.terminate()

    async def _keep_up(self, connection: Connection) -> None:
        check_at = time.monotonic() + self._check_s
        while self._is_wanted():
            self._news.clear()
            while await self._read_on(connection) == PAGE:
                pass
            if time.monotonic() >= check_at:
                await self._check_standings(connection)
                check_at = time.monotonic() + self._check_s
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()

    async def _read_on(self, connection: Connection) -> int:
        """Hand on the next changes, and return how many there were."""
        rows = await connection.fetch(_SQL["read_on"], self.position, PAGE, timeout=QUERY_S)
        for row in rows:
            self._hand_on(row)
            self.position = row["position"]
        return len(rows)

    def _hand_on(self, row: asyncpg.Record) -> None:
        owners = self._subscriptions.get(row["owner"], set())
        if row["topic"] == "user.changes" and row["owner_role"] is not None:
            standing = Standing(role=row["owner_role"], status=row["owner_status"])
            for subscription in owners:
                subscription.learn(standing)
        if row["owner_id"] is not None:
            for watcher in self._watchers:
                watcher(row["owner_id"])
        if row["hidden"]:
            return
        readers = set().union(*self._subscriptions.values()) if row["public"] else owners
        readers = readers | self._all_seeing
        if readers:
            change = Change(row["position"], row["type"], row["key"], row["state"])
            frame = Frame(change.position, present_event(change))
            for subscription in readers:
                subscription.offer(frame)

    async def _check_standings(self, connection: Connection) -> None:
        callers = {
            subscription.owner_id: readers
            for readers in self._subscriptions.values()
            for subscription in readers
        }
        if not callers:
            return
        rows = await connection.fetch(_SQL["read_standings"], list(callers), timeout=QUERY_S)
        found = {row["id"]: Standing(role=row["role"], status=row["status"]) for row in rows}
        for caller, readers in callers.items():
            for subscription in readers:
                subscription.learn(found.get(caller))
