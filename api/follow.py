"""Follow the outbox: one tail per process reads each change once, for everybody who reads along.

It follows only while somebody does, over one connection of its own. PostgreSQL wakes it with a
notification; a look every POLL_S finds what no notification told of, and that there was nothing.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

import asyncpg
import structlog

from api.database import ACQUIRE_S, DRIVER_ERRORS, QUERY_S, is_not_now
from api.present import present_event
from api.read import Change, Standing
from api.subscription import Frame, Subscription
from schema.kafka.changes import CANARY
from schema.ops.tls import name_failure
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from api.database import Connections

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger(__name__)

CHANNEL: Final = "clerkwork_outbox"
"""Where workers say that there is something new; see tell.sql."""
POLL_S: Final = 0.5
TRUST_S: Final = 1.0
"""For so long after a look nothing else is supposed to have changed."""
IDLE_S: Final = 30.0
"""The connection is kept this long after the last reader, for the next one."""
PAGE: Final = 100
"""Changes read at a time; readers get their turn between two pages."""
BACKOFF_S: Final = 0.1
MAX_BACKOFF_S: Final = 5.0

_SQL: Final = read_statements(__file__)


class Observer(Protocol):
    """Is told of every change, whoever may see it; of canaries it is not."""

    def begin(self) -> None:
        """Take note that all changes from now on are told, and some before may not have been."""

    def change(self, topic: str, *, key: str, owner: str) -> None:
        """Take note of a change, which is committed; `owner` is the clerk id of whose it is."""


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
        self._observers: list[Observer] = []
        self._begun = False
        self._looked_at = -math.inf
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

    @contextmanager
    def observed(self, by: Observer) -> Iterator[None]:
        """Tell `by` of every change; it begins when PostgreSQL is there."""
        self._observers.append(by)
        if self._begun:
            by.begin()
        self._joined.set()
        try:
            yield
        finally:
            self._observers.remove(by)
            self._left_at = time.monotonic()

    def trusted_until(self) -> float:
        """Return up to when, by the monotonic clock, what was told is supposed to be all."""
        return self._looked_at + TRUST_S

    def away_s(self) -> float:
        """Return for how long PostgreSQL has been away, 0 when it is not."""
        return 0.0 if self._away_since is None else time.monotonic() - self._away_since

    async def run(self) -> None:
        """Follow while somebody reads along, until cancelled."""
        while True:
            if not self._is_wanted():
                self.position, self._begun = None, False
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
        read = self._subscriptions or self._watchers or self._observers
        return bool(read) or time.monotonic() - self._left_at < IDLE_S

    async def _back_off(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("tail_interrupted", reason=name_failure(error))
        longest = min(MAX_BACKOFF_S, BACKOFF_S * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        await asyncio.sleep(longest * random.uniform(0.5, 1))  # noqa: S311 - only spreads the load

    async def _follow(self) -> None:
        async with self._pool.acquire(timeout=ACQUIRE_S) as connection:
            try:
                await connection.add_listener(CHANNEL, lambda *_: self._news.set())
                # From here on nothing can be told without waking us.
                await self._find_place(connection)
                self._away_since, self._failures = None, 0
                await self._keep_up(connection)
            finally:
                # Releasing it could wait for a server that hangs. One that is lost cannot be ended.
                with suppress(asyncpg.InterfaceError):
                    connection.terminate()

    async def _find_place(self, connection: Connection) -> None:
        """Go on where it left off; where that is not in the outbox any more, at its head."""
        reach = await connection.fetchrow(_SQL["read_reach"], timeout=QUERY_S)
        assert reach is not None  # noqa: S101  # an aggregate always has a row
        if self.position is None:
            self.position = reach["head"]
        elif not reach["forgotten"] <= self.position <= reach["head"]:
            # Away for too long, or the database was restored from a backup.
            log.warning("tail_lost_its_place")
            self.position, self._begun = reach["head"], False
            for subscription in set().union(*self._subscriptions.values()):
                subscription.lose()
        if not self._begun:
            self._begun = True
            for observer in self._observers:
                observer.begin()

    async def _keep_up(self, connection: Connection) -> None:
        check_at = time.monotonic() + self._check_s
        while self._is_wanted():
            self._news.clear()
            looked_at = time.monotonic()
            while await self._read_on(connection) == PAGE:
                looked_at = time.monotonic()
            self._looked_at = looked_at
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
        if row["type"] != CANARY:
            for observer in self._observers:
                observer.change(row["topic"], key=row["key"], owner=row["owner"])
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
