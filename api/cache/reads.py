"""Reads: what is kept is given at once; what is not is loaded once, for all who ask meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from api.cache.drops import Drops
from api.cache.entries import Entries, Entry
from api.database import DatabaseUnavailableError
from schema.http.errors import HttpError
from schema.ops.metrics.cache import CACHE_OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.cache.rules import Policy, Rule
    from api.respond import View
    from schema.ops.metrics.cache import CacheMetrics, CacheOutcome

MAX_LOADS: Final = 1000
"""More are not loaded at once; the pool has ten connections."""

PATIENCE_S: Final = 0.5
"""A database that takes longer is away, for whom an old answer is better than none."""


class Loaded(NamedTuple):
    """A public answer, just read from the database."""

    view: View
    tags: tuple[str, ...]
    """What it tells of, such as `user:<uuid>`: a change of any of these makes it outdated."""


Load = Callable[[], Awaitable[Loaded]]
"""Reads it; for anybody, so it may not depend on who asks."""


class Found(NamedTuple):
    """What a read gives."""

    entry: Entry
    outcome: CacheOutcome
    age_s: float
    ttl_s: float
    """How much longer it is fresh; negative for how long it is not."""
    kept: bool = True
    """Whether the next one finds it here."""


class _Flight(NamedTuple):
    begun: int
    """How many drops there had been."""
    task: asyncio.Task[_Landed]


class _Landed(NamedTuple):
    entry: Entry
    touched: bool
    """Whether it changed while it was loaded."""
    kept: bool


class Cache:
    """Keeps public answers as the rules have it.

    Whoever asks after `drop` was told of a change is never given what was read before it.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        trusted_until: Callable[[], float],
        metrics: CacheMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`trusted_until` says up to when what is kept counts as unchanged unless told otherwise.

        By the clock; after that it is read again, until more is heard.
        """
        self.rules = policy.rules
        self._stale_s = policy.stale_s
        self._entries = Entries(policy.max_bytes, metrics)
        self._trusted_until = trusted_until
        self._metrics = metrics
        self._clock = clock
        self._drops = Drops()
        self._flights: dict[str, _Flight] = {}
        self._counts = {
            (name, outcome): metrics.reads.labels(name, outcome)
            for name in self.rules
            for outcome in CACHE_OUTCOMES
        }

    async def read(self, name: str, key: str, load: Load) -> Found:
        """Return the answer of endpoint `name` for `key`; `load` reads it where there is none.

        Raises what `load` raises, which is never kept, and DatabaseUnavailableError when too much
        is being loaded already. While PostgreSQL is away an old answer is given, if there is one.
        """
        rule = self.rules.get(name)
        if rule is None:
            entry = _enter(await load(), at=self._clock(), rule=None)
            return Found(entry, "miss", 0.0, 0.0, kept=False)
        found = self._find(f"{name}:{key}", rule) or await self._fetch(name, key, load)
        self._counts[name, found.outcome].inc()
        return found

    def drop(self, tags: Sequence[str]) -> None:
        """Let go all that tells of these: they have changed."""
        self._drops.note(tags)
        for tag in tags:
            self._entries.drop_tagged(tag)

    def drop_all(self) -> None:
        """Let go all: what has changed meanwhile nobody can tell."""
        self._drops.note_all()
        self._entries.clear()

    async def close(self) -> None:
        """Give up what is being loaded."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fill(self, name: str, load_all: Callable[[], Awaitable[Mapping[str, Loaded]]]) -> int:
        """Keep what `load_all` reads, key -> answer, while there is room; return how many."""
        rule = self.rules[name]
        begun, at, count = self._drops.begin(), self._clock(), 0
        try:
            for key, loaded in (await load_all()).items():
                entry = _enter(loaded, at=at, rule=rule)
                untouched = not self._drops.touched(loaded.tags, since=begun)
                if untouched and self._entries.has_room_for(entry):
                    count += self._entries.put(f"{name}:{key}", entry)
        finally:
            self._drops.end()
        return count

    def _find(self, key: str, rule: Rule) -> Found | None:
        """Return what is kept and fresh."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        ttl_s = self._fresh_until(entry, rule) - now
        return Found(entry, "hit", now - entry.loaded_at, ttl_s) if ttl_s > 0 else None

    def _find_stale(self, key: str, rule: Rule) -> Found | None:
        """Return what is kept and not too old."""
        entry = self._entries.get(key)
        now = self._clock()
        if entry is None or now - entry.loaded_at > self._stale_s:
            return None
        ttl_s = min(self._fresh_until(entry, rule) - now, 0.0)
        return Found(entry, "stale", now - entry.loaded_at, ttl_s)

    def _fresh_until(self, entry: Entry, rule: Rule) -> float:
        if rule.invalidation == "time":
            return entry.until
        return min(entry.until, self._trusted_until())

    async def _fetch(self, name: str, key: str, load: Load) -> Found:
        rule, key = self.rules[name], f"{name}:{key}"
        try:
            if self._find_stale(key, rule):
                with suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE_S):
                        return await self._join(key, rule, load)
                # It may be gone meanwhile: then the database is not away.
                if found := self._find_stale(key, rule):
                    return found
            return await self._join(key, rule, load)
        except DatabaseUnavailableError:
            if found := self._find_stale(key, rule):
                return found
            raise

    async def _join(self, key: str, rule: Rule, load: Load) -> Found:
        arrived = self._drops.count
        outcome: CacheOutcome = "joined"
        while True:
            flight = self._flights.get(key)
            if flight is None:
                flight, outcome = self._start(key, rule, load), "miss"
            # A caller who goes does not take it from the others.
            try:
                landed = await asyncio.shield(flight.task)
            except DatabaseUnavailableError:
                raise
            except HttpError:
                if flight.begun >= arrived:
                    raise
                continue  # what was not there may be there since
            # What it brings may be from before a change that was known when we came: once more.
            if flight.begun >= arrived or not landed.touched:
                return Found(landed.entry, outcome, 0.0, rule.ttl_s, kept=landed.kept)

    def _start(self, key: str, rule: Rule, load: Load) -> _Flight:
        if len(self._flights) >= MAX_LOADS:
            raise DatabaseUnavailableError
        begun = self._drops.begin()
        task = asyncio.create_task(self._fly(key, rule, load, begun=begun))
        task.add_done_callback(self._end)
        flight = self._flights[key] = _Flight(begun, task)
        return flight

    async def _fly(self, key: str, rule: Rule, load: Load, *, begun: int) -> _Landed:
        at = self._clock()
        try:
            loaded = await load()
        except DatabaseUnavailableError:
            raise
        except HttpError:
            self._entries.drop(key, "change")  # it is not there any more, or not public
            raise
        else:
            entry = _enter(loaded, at=at, rule=rule)
            touched = self._drops.touched(entry.tags, since=begun)
            kept = not touched and self._entries.put(key, entry)
            self._metrics.load_seconds.observe(self._clock() - at)
            return _Landed(entry, touched, kept)
        finally:
            # In the same step, so that nobody joins what has ended.
            del self._flights[key]

    def _end(self, task: asyncio.Task[_Landed]) -> None:
        self._drops.end()
        if not task.cancelled():
            task.exception()  # perhaps nobody waits for it any more


def _enter(loaded: Loaded, *, at: float, rule: Rule | None) -> Entry:
    return Entry(
        view=loaded.view,
        tags=loaded.tags if rule and rule.invalidation == "event" else (),
        loaded_at=at,
        until=at + rule.ttl_s if rule else at,
    )


CACHE: Final = web.AppKey("cache", Cache)
"""Where handlers find it."""
