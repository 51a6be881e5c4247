"""Halt the line where too many events are rejected: better than to dead-letter a whole topic.

Rejected in such numbers, events are rarely to blame: it is a deploy of ours, or a change of
Clerk's. So the batch that goes beyond the limit is not applied at all; its worker waits in place,
not ready, until an operator has looked and lets it go on: `clerkwork line show`, `line release`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements
from workers.classify import NotNowError, not_now_unless_bad
from workers.collapse import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import asyncpg

    from workers.record import Applied

    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )
    Place = tuple[str, int]

_SQL: Final = read_statements(__file__)
REJECTED: Final = frozenset({"dead", "retrying"})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many rejects a partition may have."""

    run: int = 100
    """One after the other."""
    ratio: float = 0.5
    """Of the events in the window."""
    window: int = 1000
    """So many of the latest events are looked at,"""
    least: int = 200
    """once there are so many."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A partition that is stopped."""

    topic: str
    partition: int
    rejects: int
    events: int
    reason: str
    seen_release: datetime | None = None
    """The latest release that was known: a later one is not undone by this stop."""


class LineStoppedError(NotNowError):
    """Nothing of the batch is applied: its partitions wait for an operator."""

    kind = "line_stopped"

    def __init__(self, stops: Sequence[Stop]) -> None:
        super().__init__("too many rejects")
        self.stops = stops


@dataclass
class _Partition:
    """What a partition has had so far."""

    window: deque[bool]
    run: int = 0
    allowance: int = 0
    released_at: datetime | None = None
    """The release that the allowance is from."""

    def add(self, rejected: Iterable[bool], limits: Limits) -> bool:
        """Take more events; return whether they stay within the limits."""
        for each in rejected:
            if each and self.allowance > 0:
                self.allowance -= 1
                continue
            self.window.append(each)
            self.run = self.run + 1 if each else 0
            full = len(self.window) >= limits.least
            # The share is greater than before only after a reject: else it need not be counted.
            due = full and (each or len(self.window) == limits.least)
            if self.run >= limits.run or (due and self.ratio() > limits.ratio):
                return False
        return True

    def ratio(self) -> float:
        """Return the share of rejects in the window."""
        return sum(self.window) / len(self.window)

    def copy(self) -> _Partition:
        """Return the same again, to be changed."""
        again = deque(self.window, maxlen=self.window.maxlen)
        return _Partition(again, self.run, self.allowance, self.released_at)


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """Knows the rejects of each partition."""

    limits: Limits = Limits()  # it is frozen
    _partitions: dict[Place, _Partition] = field(default_factory=dict)

    async def judge(self, connection: Connection, applied: Sequence[Applied]) -> None:
        """Raise LineStoppedError where these go beyond the limits, or an earlier stop stands.

        To be called before the commit; costs nothing while nothing is rejected.
        """
        by_place = _by_place(applied)
        bad = {place: last for place, events in by_place.items() if (last := _reason(events))}
        stands = await self._read_stops(connection, bad) if bad else []
        after = {place: self._at(place).copy() for place in by_place}
        beyond = [
            place
            for place, events in by_place.items()
            if not after[place].add(_verdicts(events), self.limits)
        ]
        stops = [
            Stop(
                topic=place[0],
                partition=place[1],
                rejects=sum(after[place].window),
                events=len(after[place].window),
                reason=bad.get(place, ""),
                seen_release=after[place].released_at,
            )
            for place in {*beyond, *stands}
        ]
        if stops:
            raise LineStoppedError(stops)
        self._partitions.update(after)

    def _at(self, place: Place) -> _Partition:
        empty = _Partition(deque(maxlen=self.limits.window))
        return self._partitions.setdefault(place, empty)

    async def _read_stops(self, connection: Connection, places: Iterable[Place]) -> list[Place]:
        """Return where a stop stands; where one was released, start anew with its allowance."""
        topics, partitions = zip(*places, strict=True)
        rows = await connection.fetch(_SQL["read_stops"], list(topics), list(partitions))
        for row in rows:
            known = self._at((row["topic"], row["partition"]))
            if row["released_at"] and row["released_at"] != known.released_at:
                known.window.clear()
                known.run, known.allowance = 0, row["allowance"]
                known.released_at = row["released_at"]
        return [(row["topic"], row["partition"]) for row in rows if row["released_at"] is None]


async def write_stops(pool: asyncpg.Pool[asyncpg.Record], stops: Sequence[Stop]) -> None:
    """Let operators see which partitions are stopped, and why. Raises NotNowError."""
    rows = [(s.topic, s.partition, s.rejects, s.events, s.reason, s.seen_release) for s in stops]
    with not_now_unless_bad():
        await pool.execute(_SQL["write_stops"], *columns(rows))


def _by_place(applied: Sequence[Applied]) -> Mapping[Place, list[Applied]]:
    by_place = defaultdict[tuple[str, int], list["Applied"]](list)
    for each in applied:
        by_place[each.event.record.topic, each.event.record.partition].append(each)
    return by_place


def _is_reject(each: Applied) -> bool:
    # What an operator has replayed was dead before: no news, and nobody else shall wait for it.
    return each.outcome in REJECTED and not each.event.replayed


def _verdicts(events: Iterable[Applied]) -> list[bool]:
    return [_is_reject(each) for each in events]


def _reason(events: Iterable[Applied]) -> str | None:
    reasons = [each.reason or "" for each in events if _is_reject(each)]
    return reasons[-1] if reasons else None
