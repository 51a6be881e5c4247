"""Present the pipeline: what was found, in the order of the walk. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from deploy.desk.find.letters import MOST_COUNTED as MOST_LETTERS
from deploy.desk.find.pipeline import MOST_COUNTED, per_minute
from deploy.desk.models.frame import Count, Point
from deploy.desk.models.pipeline import (
    Freshness,
    Lag,
    Outbox,
    PipelinePage,
    Seen,
    Stop,
    Waiting,
)
from deploy.desk.present import event_url
from deploy.desk.present_stations import present_stations
from deploy.desk.present_targets import present_target
from deploy.letters.tell import one_line
from schema.kafka.changes import is_canary
from schema.kafka.snapshots import ABSENCE, SNAPSHOT
from schema.kafka.topics import CLERK_EVENTS
from schema.ops.metrics import CANARY_STATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.desk.find.arrivals import Arrival
    from deploy.desk.find.pipeline import Tables
    from deploy.desk.models.pipeline import Station
    from deploy.desk.pipeline import Overview

_CLERKS: Final = frozenset(topic.name for topic in CLERK_EVENTS)


def present_pipeline(found: Overview) -> PipelinePage:
    """Return the page."""
    received = _points(found.reach.minutes if found.reach else ())
    applied = _points(found.applied)
    freshness = _freshness(found)
    lags = tuple(_lags(found))
    outbox = _outbox(found.tables) if found.tables else None
    stops = tuple(map(present_stop, found.tables.stops)) if found.tables else ()
    letters = tuple(_letters(found.tables)) if found.tables else ()
    last = _last(each for each in found.arrivals if _is_webhook(each))
    targets = tuple(present_target(name, each) for name, each in found.targets.items())
    stations = present_stations(
        found,
        received=received,
        applied=applied,
        lags=lags,
        stops=len(stops),
        letters=letters,
        outbox=outbox,
        targets=targets,
        last=last,
        freshness=freshness,
    )
    worst = _worst(stations)
    return PipelinePage(
        state=worst.state,
        sentence=_sentence(worst),
        stations=stations,
        received=received,
        applied=applied,
        freshness=freshness,
        outcomes=_outcomes(found),
        lags=lags,
        stops=stops,
        letters=letters,
        outbox=outbox,
        last_webhook=last,
        canary=_find_canary(found),
        targets=targets,
        troubles=tuple(found.troubles),
    )


def _points(sums: Sequence[tuple[int, int]]) -> tuple[Point, ...]:
    return tuple(Point(at=at, value=number) for at, number in per_minute(sums))


def _freshness(found: Overview) -> Freshness | None:
    """Return how long the newest arrivals took that are in the ledger."""
    rows = [row for each in found.arrivals if (row := found.known.get(each.event_id))]
    if not rows:
        return None
    took = sorted((row["applied_at"] - row["received_at"]).total_seconds() for row in rows)
    return Freshness(
        p50_s=max(0.0, took[(len(took) - 1) // 2]),
        p99_s=max(0.0, took[-(-len(took) * 99 // 100) - 1]),
        events=len(took),
        since=min(row["received_at"] for row in rows),
    )


def _outcomes(found: Overview) -> tuple[Count, ...]:
    counted = Counter(
        row["outcome"] if (row := found.known.get(each.event_id)) else "waiting"
        for each in found.arrivals
    )
    return tuple(
        Count(name=name, number=number, url=f"/events?outcome={name}")
        for name, number in counted.most_common()
    )


def _lags(found: Overview) -> Iterable[Lag]:
    if found.reach is None or found.tables is None:
        return
    reach = found.reach
    now_ms = found.now.timestamp() * 1000
    for topic in dict.fromkeys(place.topic for place in reach.ends):
        places = [place for place in reach.ends if place.topic == topic]
        behind = {place: reach.ends[place] - reach.begins[place] for place in places}
        oldest = [at for place, at in reach.waiting_ms.items() if place.topic == topic]
        yield Lag(
            topic=topic,
            records=sum(max(0, each) for each in behind.values()),
            seconds=max(0.0, (now_ms - min(oldest)) / 1000) if oldest else 0.0,
            partitions=sum(each > 0 for each in behind.values()),
        )


def present_stop(row: Mapping[str, Any]) -> Stop:
    """Return why a partition is stopped."""
    return Stop(
        topic=row["topic"],
        partition=row["partition"],
        rejects=row["rejects"],
        events=row["events"],
        reason=one_line(row["reason"]),
        at=row["stopped_at"],
        url=f"/lines/{quote(row['topic'], safe='')}/{row['partition']}/release",
    )


def _letters(tables: Tables) -> Iterable[Waiting]:
    for row in tables.letters:
        yield Waiting(
            state=row["state"],
            letters=row["letters"],
            more=row["letters"] >= MOST_LETTERS,
            oldest=row["oldest"],
            url=f"/letters?state={row['state']}",
        )


def _outbox(tables: Tables) -> Outbox:
    return Outbox(
        waiting=tables.pending,
        more=tables.pending >= MOST_COUNTED,
        seconds=max(0.0, tables.pending_s) if tables.pending else 0.0,
        active=tables.relays > 0,
    )


def _is_webhook(arrival: Arrival) -> bool:
    looked_up = arrival.type.startswith((SNAPSHOT, ABSENCE))
    return arrival.topic in _CLERKS and not looked_up and not is_canary(arrival.user)


def _find_canary(found: Overview) -> Seen | None:
    """Return the last canary that went the whole way, as it tells; else the newest that set out."""
    seen = [
        sample.value
        for each in found.targets.values()
        for sample in (each or {}).get("clerkwork_canary_seen_timestamp_seconds", ())
        if sample.labels.get("at") == CANARY_STATIONS[-1] and sample.value
    ]
    if not seen:
        return _last(each for each in found.arrivals if is_canary(each.user))
    at = datetime.fromtimestamp(max(seen), UTC)
    return Seen(event_id="", type="arrived everywhere", at=at, url="/events?canaries=yes")


def _last(arrivals: Iterable[Arrival]) -> Seen | None:
    """Return the newest; they come in that order."""
    for each in arrivals:
        return Seen(
            event_id=one_line(each.event_id),
            type=one_line(each.type),
            at=each.at,
            url=event_url(each.event_id),
        )
    return None


_ORDER: Final[Any] = {"stopped": 0, "slow": 1, "unknown": 2, "good": 3}


def _worst(stations: Sequence[Station]) -> Station:
    return min(stations, key=lambda each: _ORDER[each.state])


def _sentence(worst: Station) -> str:
    if worst.state == "good":
        return "All is well: what arrives is applied and told."
    return f"{worst.title}: {worst.word}."
