"""The pipeline at a glance: busy with everything, and quiet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from deploy.desk.models.frame import Count
from deploy.desk.models.pipeline import (
    Freshness,
    Lag,
    Outbox,
    PipelinePage,
    ReleasePage,
    Seen,
    Station,
    Stop,
    Target,
    Waiting,
)
from tests.browser.samples.made_up import EVENT, ago, facts, points

if TYPE_CHECKING:
    from deploy.desk.models.frame import State

_FLOW: Final = (
    *(96, 101, 88, 120, 134, 128, 140, 122, 118, 131, 149, 160, 171, 155, 150, 162, 180, 174, 169),
    *(158, 161, 170, 166, 177, 190, 184, 172, 95),
)
_STATIONS: Final = (
    Station(
        name="ingest",
        title="Ingest",
        state="good",
        word="taking webhooks",
        rate=172,
        age_s=None,
        facts=facts(last_webhook="2 s ago", refused="0"),
        url="/events",
    ),
    Station(
        name="kafka",
        title="Kafka",
        state="good",
        word="3 brokers",
        rate=172,
        age_s=None,
        facts=facts(publish_p99="4 ms", breaker="closed"),
        url="",
    ),
    Station(
        name="workers",
        title="Workers",
        state="slow",
        word="1,204 behind",
        rate=141,
        age_s=8.4,
        facts=facts(partitions_behind="2 of 30"),
        url="",
    ),
    Station(
        name="postgres",
        title="PostgreSQL",
        state="good",
        word="answering",
        rate=None,
        age_s=None,
        facts=facts(connections="14 of 100", longest="0.2 s"),
        url="",
    ),
    Station(
        name="relay",
        title="Relay",
        state="good",
        word="up to date",
        rate=139,
        age_s=0,
        facts=(),
        url="",
    ),
    Station(
        name="letters",
        title="Dead letters",
        state="stopped",
        word="41 wait",
        rate=None,
        age_s=7_400,
        facts=facts(parked="3"),
        url="/letters",
    ),
)
PIPELINE: Final = PipelinePage(
    state="slow",
    sentence="Workers are behind on clerk.user-events; 41 dead letters wait for somebody.",
    stations=_STATIONS,
    received=points(*_FLOW, step=timedelta(minutes=1)),
    applied=points(*(each - 9 for each in _FLOW), step=timedelta(minutes=1)),
    freshness=Freshness(p50_s=0.041, p99_s=0.86, events=1000, since=ago(minutes=6)),
    outcomes=(
        Count(name="applied", number=961, url="/events?outcome=applied"),
        Count(name="stale", number=27, url="/events?outcome=stale"),
        Count(name="ignored", number=8, url="/events?outcome=ignored"),
        Count(name="dead", number=4, url="/events?outcome=dead"),
    ),
    lags=(
        Lag(topic="clerk.user-events", records=1204, seconds=8.4, partitions=2),
        Lag(topic="clerk.org-events", records=0, seconds=0, partitions=0),
        Lag(topic="app.user-commands", records=0, seconds=0, partitions=0),
    ),
    stops=(
        Stop(
            topic="clerk.org-events",
            partition=3,
            rejects=52,
            events=60,
            reason="data.slug: is longer than 256",
            at=ago(minutes=12),
            url="/lines/clerk.org-events/3/release",
        ),
    ),
    letters=(
        Waiting(
            state="open", letters=41, more=False, oldest=ago(hours=2), url="/letters?state=open"
        ),
        Waiting(
            state="parked", letters=3, more=False, oldest=ago(days=4), url="/letters?state=parked"
        ),
    ),
    outbox=Outbox(waiting=3, more=False, seconds=0.2, active=True),
    last_webhook=Seen(
        event_id=EVENT, type="user.updated", at=ago(seconds=2), url=f"/events/{EVENT}"
    ),
    canary=Seen(event_id="", type="", at=ago(seconds=41), url=""),
    targets=(
        Target(
            name="http://ingest:8080/metrics",
            state="good",
            word="answers",
            facts=facts(publish_p99="4 ms", breaker="closed"),
        ),
        Target(
            name="http://worker:9101/metrics", state="stopped", word="does not answer", facts=()
        ),
    ),
    troubles=("The processes' metrics could not all be read: worker:9101 does not answer.",),
)


def _quiet(station: Station) -> Station:
    state: State = "unknown" if station.name == "kafka" else "good"
    return replace(
        station, state=state, word="not known" if state == "unknown" else "quiet", rate=0
    )


QUIET: Final = replace(
    PIPELINE,
    state="good",
    sentence="Nothing waits anywhere.",
    stations=tuple(_quiet(each) for each in _STATIONS),
    received=(),
    applied=(),
    freshness=None,
    outcomes=(),
    lags=(),
    stops=(),
    letters=(),
    outbox=None,
    last_webhook=None,
    canary=None,
    targets=(),
    troubles=(),
)
RELEASE: Final = ReleasePage(stop=PIPELINE.stops[0], back_url="/")
