"""The pipeline at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from deploy.desk.models.frame import Count, Fact, Point, State


@dataclass(frozen=True, kw_only=True)
class Station:
    """A part of the walk, from Clerk to other services."""

    name: str
    """ingest | kafka | workers | postgres | relay | letters."""
    title: str
    state: State
    word: str
    """The state in a word or two, such as `3 behind`."""
    rate: float | None
    """What passes in a minute; None where that is not known."""
    age_s: float | None
    """How long the oldest thing waits there; 0 where nothing does, None where it is not known. Of
    ingest, where nothing waits: the time since the last webhook, None before the first."""
    facts: tuple[Fact, ...]
    url: str
    """Where more is to be seen; empty for nowhere."""


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How long the newest events took from ingest's acceptance to the database."""

    p50_s: float
    p99_s: float
    events: int
    """How many were looked at."""
    since: datetime
    """When the oldest of them was accepted."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far behind the workers are on a topic."""

    topic: str
    records: int
    seconds: float
    """Age of the oldest record that is not applied; 0 where there is none."""
    partitions: int
    """How many of them are behind."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A partition that too many rejects have stopped."""

    topic: str
    partition: int
    rejects: int
    events: int
    reason: str
    at: datetime
    url: str
    """Where it is released: the page that asks, and what its form is posted to."""


@dataclass(frozen=True, kw_only=True)
class ReleasePage:
    """A stopped partition, before it is let go on; release.html."""

    stop: Stop
    back_url: str


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Dead letters in a state."""

    state: str
    letters: int
    more: bool
    """Whether there are more than were counted."""
    oldest: datetime | None
    url: str


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """What is told to others, and not yet on its topic."""

    waiting: int
    more: bool
    """Whether there is more than was counted."""
    seconds: float
    """How long the oldest waits."""
    active: bool
    """Whether a relay publishes."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An event that was seen last."""

    event_id: str
    """Empty where only its time is known."""
    type: str
    at: datetime
    url: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """A process of ours, as its own metrics tell."""

    name: str
    state: State
    word: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, kw_only=True)
class PipelinePage:
    """All of it; pipeline.html."""

    state: State
    sentence: str
    """How it is, in a sentence."""
    stations: tuple[Station, ...]
    """In the order of the walk."""
    received: tuple[Point, ...]
    """Records that Kafka took in each minute, the oldest first; the last minute is not over."""
    applied: tuple[Point, ...]
    """Records that workers were done with in each minute, as far as the desk has seen them."""
    freshness: Freshness | None
    outcomes: tuple[Count, ...]
    """What became of the newest events."""
    lags: tuple[Lag, ...]
    stops: tuple[Stop, ...]
    letters: tuple[Waiting, ...]
    outbox: Outbox | None
    last_webhook: Seen | None
    canary: Seen | None
    targets: tuple[Target, ...]
    """Empty where the desk was not told of any."""
    troubles: tuple[str, ...]
    """What could not be found out, and why."""
