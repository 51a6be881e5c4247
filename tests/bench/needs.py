"""What a load needs: `python -m tests.bench.needs --events-per-s 1000 --users 1000000`.

Plain arithmetic on what was measured and noted in measured.json. Cores are counted twice: at the
rate that is asked for they are half busy, which leaves room for peaks and for one that is lost.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.estimate import NOTED
from tests.bench.figure import OURS
from tests.bench.figures.growth import FEW, MANY
from tests.bench.results import read_results
from tests.bench.spread import spread_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.results import Results

HEADROOM: Final = 2
REPLICAS: Final = 3
"""Of each record, on as many brokers."""
SOURCE_DAYS: Final = 14
"""As schema/kafka/topics.py has it."""
OUTBOX_DAYS: Final = 7
"""CLERKWORK_CHANGES_RETENTION_DAYS, unless set."""
DAY_S: Final = 86_400
MONTH_S: Final = 30 * DAY_S
OWN: Final = ("ingest", "worker", "relay")
"""Processes that share the load; each has one core at most."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is to be carried."""

    events_per_s: int
    users: int


class Need(NamedTuple):
    """Something that is needed for it."""

    what: str
    amount: float
    unit: str
    why: str


def median_of(results: Results, name: str, who: str = OURS) -> float:
    """Return the median of a figure, called such as `cost.wal`; KeyError where there is none."""
    experiment, _, figure = name.partition(".")
    measured = results.find(experiment)
    samples = measured.of(figure, who) if measured else ()
    if not samples:
        raise KeyError(name, who)
    return spread_of(samples).median


def cpu_us(results: Results, who: str) -> float:
    """Return the CPU time that an event takes of somebody, in microseconds."""
    return median_of(results, f"cost.{who}") * 10  # noted are seconds for 100,000


def server_us(results: Results) -> float:
    """Return PostgreSQL's time for an event where there are a million users, in microseconds.

    What everything costs is measured with fewer; a worker's part of it grows as is measured too.
    """
    few, many = (median_of(results, "growth.worker_server", who) for who in (FEW, MANY))
    return cpu_us(results, "postgresql") * many / few


def find_needs(results: Results, load: Load) -> list[Need]:
    """Return what a load needs."""
    request = median_of(results, "cost.request")
    return [
        *(_need_cores(load, f"{who} processes", cpu_us(results, who)) for who in OWN),
        _need_cores(load, "cores of Kafka", cpu_us(results, "kafka")),
        _need_cores(load, "cores of PostgreSQL", server_us(results)),
        *_need_kafka(partial(median_of, results), load),
        *_need_postgres(partial(median_of, results), load),
        Need(
            "network into ingest",
            request * load.events_per_s * 8 / 1e6,
            "Mbit/s",
            f"{request:,.0f} bytes a request",
        ),
    ]


def _need_cores(load: Load, what: str, us: float) -> Need:
    busy = us * load.events_per_s / 1e6
    return Need(what, math.ceil(busy * HEADROOM), "", f"{us:,.0f} us of a core for each event")


def _need_kafka(median: Callable[..., float], load: Load) -> list[Need]:
    record, change = median("cost.record"), median("cost.change")
    source = record * load.events_per_s * REPLICAS
    return [
        Need("Kafka, written", source / 1e6, "MB/s", f"{record:,.0f} bytes x {REPLICAS}"),
        Need(
            "Kafka's disk for clerk.user-events",
            source * SOURCE_DAYS * DAY_S / 1e12,
            "TB",
            f"{SOURCE_DAYS} days x {REPLICAS} copies",
        ),
        Need(
            "Kafka's disk for user.changes, compacted",
            change * load.users * REPLICAS / 1e9,
            "GB",
            f"{change:,.0f} bytes for each user x {REPLICAS}; and what a day adds before it is"
            " compacted",
        ),
    ]


def _need_postgres(median: Callable[..., float], load: Load) -> list[Need]:
    user, event, change = (median(f"growth.{kind}", MANY) for kind in ("user", "event", "change"))
    told, plain, pages = (median(f"cost.{name}") for name in ("changes", "wal", "pages"))
    return [
        Need(
            "PostgreSQL's rows of users", user * load.users / 1e9, "GB", f"{user:,.0f} bytes each"
        ),
        Need(
            "the ledger grows in a month by",
            event * load.events_per_s * MONTH_S / 1e12,
            "TB",
            f"{event:,.0f} bytes for each event",
        ),
        Need(
            "the outbox",
            change * told * load.events_per_s * OUTBOX_DAYS * DAY_S / 1e12,
            "TB",
            f"{change:,.0f} bytes for each change, {told:.2f} changes for each event,"
            f" {OUTBOX_DAYS} days",
        ),
        Need(
            "WAL without whole pages",
            plain * load.events_per_s / 1e6,
            "MB/s",
            f"{plain:,.0f} bytes for each event",
        ),
        Need(
            "WAL soon after a checkpoint",
            (plain + pages) * load.events_per_s / 1e6,
            "MB/s",
            f"{plain + pages:,.0f} bytes for each event; the more seldom checkpoints, the less of"
            " this",
        ),
    ]


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events-per-s", type=int, default=1000)
    parser.add_argument("--users", type=int, default=1_000_000)
    options = parser.parse_args()
    load = Load(events_per_s=options.events_per_s, users=options.users)
    for need in find_needs(read_results(NOTED), load):
        print(f"{need.what:42} {need.amount:10,.4g} {need.unit:6} {need.why}")


if __name__ == "__main__":
    main()
