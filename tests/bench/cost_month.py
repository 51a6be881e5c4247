"""What a load needs: `python -m tests.bench.cost_month --events-per-s 1000 --users 1000000`.

Plain arithmetic on what was measured and noted in deploy/docs/scale.json. Cores are counted twice:
at the rate that is asked for they are half busy, which leaves room for peaks and for one that is
lost.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURED: Final = Path(__file__).parents[2] / "deploy/docs/scale.json"
HEADROOM: Final = 2
REPLICAS: Final = 3
"""Of each record, on as many brokers."""
SOURCE_DAYS: Final = 14
"""As schema/kafka/topics.py has it."""
OUTBOX_DAYS: Final = 7
"""CLERKWORK_CHANGES_RETENTION_DAYS, unless set."""
DAY_S: Final = 86_400
MONTH_S: Final = 30 * DAY_S
PER: Final = 100_000
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


def read_measured() -> Mapping[str, Any]:
    """Return what was measured."""
    measured: Mapping[str, Any] = json.loads(MEASURED.read_text())
    return measured


def cpu_us(measured: Mapping[str, Any], name: str) -> float:
    """Return the CPU time that an event takes of a process, in microseconds."""
    spent: Mapping[str, float] = measured["cost"]["cpu_s_per_100k"]
    return sum(each for who, each in spent.items() if who.startswith(name)) / PER * 1e6


def find_needs(measured: Mapping[str, Any], load: Load) -> list[Need]:
    """Return what a load needs."""
    return [
        *_processes(measured, load),
        *_kafka(measured, load),
        *_postgres(measured, load),
        Need(
            "network into ingest",
            measured["cost"]["request_bytes"] * load.events_per_s * 8 / 1e6,
            "Mbit/s",
            f"{measured['cost']['request_bytes']:,.0f} bytes a request",
        ),
    ]


def _processes(measured: Mapping[str, Any], load: Load) -> list[Need]:
    needs = []
    for name in OWN:
        us = cpu_us(measured, name)
        busy = us * load.events_per_s / 1e6
        why = f"{us:,.0f} us of a core for each event"
        needs.append(Need(f"{name} processes", math.ceil(busy * HEADROOM), "", why))
    for name in ("Kafka", "PostgreSQL"):
        us = cpu_us(measured, name)
        busy = us * load.events_per_s / 1e6
        why = f"{us:,.0f} us for each event"
        needs.append(Need(f"cores of {name}", math.ceil(busy * HEADROOM), "", why))
    return needs


def _kafka(measured: Mapping[str, Any], load: Load) -> list[Need]:
    kept = measured["cost"]["kept_bytes_per_event"]
    event = kept["topic clerk.user-events"]
    change = kept["topic user.changes"] * measured["cost"]["events"] / measured["cost"]["changes"]
    source = event * load.events_per_s
    return [
        Need("Kafka, written", source * REPLICAS / 1e6, "MB/s", f"{event:,.0f} bytes x {REPLICAS}"),
        Need(
            "Kafka's disk for clerk.user-events",
            source * SOURCE_DAYS * DAY_S * REPLICAS / 1e12,
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


def _postgres(measured: Mapping[str, Any], load: Load) -> list[Need]:
    user, event, change = (
        bytes_per(measured, "users"),
        bytes_per(measured, "events"),
        bytes_per(measured, "outbox"),
    )
    cost = measured["cost"]
    told = cost["changes"] / cost["events"]
    plain = cost["wal_bytes_per_event"] - cost["wal_image_bytes_per_event"]
    wal = cost["wal_bytes_per_event"]
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
            wal * load.events_per_s / 1e6,
            "MB/s",
            f"{wal:,.0f} bytes for each event; the more seldom checkpoints, the less of this",
        ),
    ]


def bytes_per(measured: Mapping[str, Any], kind: str) -> float:
    """Return the bytes of a user, or of a row of another table, indexes included."""
    sizes = measured["size"]["sizes"]
    if kind == "users":
        own = [each for each in sizes if each["table"] not in {"events", "outbox"}]
        return float(sum(each["per_user"] for each in own))
    return float(sum(each["per_row"] for each in sizes if each["table"] == kind))


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events-per-s", type=int, default=1000)
    parser.add_argument("--users", type=int, default=1_000_000)
    options = parser.parse_args()
    load = Load(events_per_s=options.events_per_s, users=options.users)
    for need in find_needs(read_measured(), load):
        print(f"{need.what:42} {need.amount:10,.4g} {need.unit:6} {need.why}")


if __name__ == "__main__":
    main()
