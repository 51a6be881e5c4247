"""Present the stations of the walk. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.desk.models.frame import Fact
from deploy.desk.models.pipeline import Station
from deploy.desk.render import ago, count, span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from deploy.desk.models.frame import Point, State
    from deploy.desk.models.pipeline import Freshness, Lag, Outbox, Seen, Target, Waiting
    from deploy.desk.pipeline import Overview

LATE_S: Final = 60.0
"""What waits for longer is late."""
SILENT_S: Final = 30.0
"""Where something waits and nothing was applied for so long, nobody works."""


def present_stations(  # noqa: PLR0913 - one page shows it all
    found: Overview,
    *,
    received: Sequence[Point],
    applied: Sequence[Point],
    lags: Sequence[Lag],
    stops: int,
    letters: Sequence[Waiting],
    outbox: Outbox | None,
    targets: Sequence[Target],
    last: Seen | None,
    freshness: Freshness | None,
) -> tuple[Station, ...]:
    """Return the stations, in the order of the walk."""
    return (
        _ingest(targets, last, now=found.now),
        _kafka(found, received),
        _workers(found, applied, lags, stops=stops),
        _postgres(found, freshness),
        _relay(outbox),
        _letters(letters, known=found.tables is not None),
    )


def _station(  # noqa: PLR0913 - what a station has
    name: str,
    title: str,
    state: State,
    word: str,
    *,
    rate: float | None = None,
    age_s: float | None = None,
    facts: Sequence[tuple[str, str]] = (),
    url: str = "",
) -> Station:
    return Station(
        name=name,
        title=title,
        state=state,
        word=word,
        rate=rate,
        age_s=age_s,
        facts=tuple(Fact(name=each, value=value) for each, value in facts if value),
        url=url,
    )


def _ingest(targets: Sequence[Target], last: Seen | None, *, now: datetime) -> Station:
    own = [each for each in targets if each.name.startswith("ingest")]
    bad = [each for each in own if each.state != "good"]
    state: State = bad[0].state if bad else "good" if own or last else "unknown"
    word = bad[0].word if bad else f"webhook {ago(last.at, now)}" if last else "no webhook yet"
    facts = [("last webhook", last.type if last else "")]
    return _station(
        "ingest",
        "Ingest",
        state,
        word,
        age_s=max(0.0, (now - last.at).total_seconds()) if last else None,
        facts=facts,
        url="/events",
    )


def _kafka(found: Overview, received: Sequence[Point]) -> Station:
    if found.reach is None:
        return _station("kafka", "Kafka", "stopped", "does not answer")
    held = sum(end - found.reach.firsts[place] for place, end in found.reach.ends.items())
    return _station(
        "kafka",
        "Kafka",
        "good",
        "answers",
        rate=_whole_minute(received),
        facts=[("records kept", count(held)), ("partitions", str(len(found.reach.ends)))],
        url="/events",
    )


def _workers(
    found: Overview, applied: Sequence[Point], lags: Sequence[Lag], *, stops: int
) -> Station:
    title = "Workers"
    if found.tables is None or found.reach is None:
        return _station("workers", title, "unknown", "cannot be told")
    waiting = sum(lag.records for lag in lags)
    oldest = max((lag.seconds for lag in lags), default=0.0)
    at = found.tables.applied_at
    silent = at is None or (found.now - at).total_seconds() >= SILENT_S
    state: State = "good"
    word = f"{count(waiting)} behind" if waiting else "up to date"
    if stops:
        state, word = "stopped", f"{stops} partitions stopped"
    elif not found.reach.members:
        state, word = "stopped", f"no worker consumes, {count(waiting)} wait"
    elif waiting and oldest >= SILENT_S and silent:
        state, word = "stopped", f"nothing applied, {count(waiting)} wait"
    elif oldest >= LATE_S:
        state = "slow"
    return _station(
        "workers",
        title,
        state,
        word,
        rate=_whole_minute(applied),
        age_s=oldest,
        facts=[
            ("members", str(found.reach.members)),
            ("applied last", ago(at, found.now) if at else "never"),
        ],
    )


def _postgres(found: Overview, freshness: Freshness | None) -> Station:
    if found.tables is None:
        return _station("postgres", "PostgreSQL", "stopped", "does not answer")
    facts = []
    if freshness:
        facts = [("p50", span(freshness.p50_s)), ("p99", span(freshness.p99_s))]
    return _station("postgres", "PostgreSQL", "good", "answers", facts=facts)


def _relay(outbox: Outbox | None) -> Station:
    title = "Relay"
    if outbox is None:
        return _station("relay", title, "unknown", "cannot be told")
    more = "more than " if outbox.more else ""
    waits = f"{more}{count(outbox.waiting)} wait"
    if not outbox.active:
        return _station("relay", title, "stopped", "no relay is active", age_s=outbox.seconds)
    late: State = "slow" if outbox.seconds >= LATE_S else "good"
    word = waits if outbox.waiting else "all is told"
    return _station("relay", title, late, word, age_s=outbox.seconds)


def _letters(letters: Sequence[Waiting], *, known: bool) -> Station:
    title = "Dead letters"
    if not known:
        return _station("letters", title, "unknown", "cannot be told", url="/letters")
    waiting = sum(each.letters for each in letters if each.state == "open")
    word = f"{count(waiting)} wait" if waiting else "none waits"
    facts = [(each.state, count(each.letters)) for each in letters]
    return _station(
        "letters", title, "slow" if waiting else "good", word, facts=facts, url="/letters"
    )


def _whole_minute(points: Sequence[Point]) -> float | None:
    """Return the last minute that is over."""
    return points[-2].value if len(points) > 1 else None
