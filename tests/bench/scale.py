"""The tables of deploy/docs/scale.md, from `measured.json`."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from deploy.environment import ROOT
from schema.kafka.topics import USER_EVENTS
from tests.bench.figures import backlog, cost, ledger, scaling
from tests.bench.figures.growth import FEW, KINDS, MANY
from tests.bench.needs import HEADROOM, Load, cpu_us, find_needs, median_of, server_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.results import Results

PAGE: Final = ROOT / "deploy/docs/scale.md"
MONTH: Final = Load(events_per_s=1_000, users=1_000_000)
INTERNET: Final = Load(events_per_s=50_000, users=100_000_000)
SERVER_CORES: Final = 32
"""Of the server that one primary is reckoned with, half of them busy."""
_PLACE: Final = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- /measured -->)", re.DOTALL)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; all but the first column are numbers or short."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_rates(results: Results) -> str:
    """Return rates where there are many users against those where there are few."""
    rows = []
    for what in ("worker", "api"):
        rates = [median_of(results, f"growth.{what}", who) for who in (FEW, MANY)]
        spent = [
            f"{median_of(results, f'growth.{what}_cpu', who):,.0f}"
            f" + {median_of(results, f'growth.{what}_server', who):,.0f}"
            for who in (FEW, MANY)
        ]
        share = rates[1] / rates[0]
        rows.append([what, *(f"{rate:,.0f}" for rate in rates), f"**{share:.2f}**", *spent])
    wal = [f"{median_of(results, 'growth.wal', who):,.0f}" for who in (FEW, MANY)]
    rows.append(["WAL bytes for each event", *wal, "", "", ""])
    head = ["", "10,000 users, /s", "1,000,000, /s", "ratio"]
    return table([*head, "µs each, 10,000 users", "µs, 1,000,000"], rows)


def write_ledger(results: Results) -> str:
    """Return what an event in the ledger takes."""
    figures = ("ledger.postgres", "ledger.recorded")
    rows = [
        [who, *(f"{median_of(results, each, who):.1f}" for each in figures)]
        for who in ledger.EXPERIMENT.contestants
    ]
    return table(["a ledger of", "µs of PostgreSQL", "µs in all"], rows)


def write_backlog(results: Results) -> str:
    """Return the first and the last tenth of a backlog."""
    tenths = backlog.EXPERIMENT.contestants
    rows = [
        [says, *(f"{median_of(results, f'backlog.{figure}', who):,.0f} {unit}" for who in tenths)]
        for says, figure, unit in (
            ("events", "rate", "/s"),
            ("memory of the worker", "memory", "MB"),
        )
    ]
    return table(["", *tenths], rows)


def write_sizes(results: Results) -> str:
    """Return how large a user, an event and a change are."""
    rows = [
        [
            what,
            f"{median_of(results, f'growth.{kind}', MANY):,.0f}",
            f"{median_of(results, f'growth.{kind}_indexes', MANY):,.0f}",
        ]
        for kind, what in KINDS.items()
    ]
    return table(["", "bytes", "of them indexes"], rows)


def write_cost(results: Results) -> str:
    """Return what 100,000 events cost."""
    spent = {says: median_of(results, f"cost.{who}") for who, says in cost.WHO.items()}
    kept = {
        "WAL without whole pages": median_of(results, "cost.wal"),
        "whole pages in it, after one checkpoint": median_of(results, "cost.pages"),
        "clerk.user-events": median_of(results, "cost.record"),
        "user.changes": median_of(results, "cost.change") * median_of(results, "cost.changes"),
    }
    rows = [
        *([says, f"{each:.1f} s"] for says, each in spent.items()),
        ["**CPU, all in all**", f"**{median_of(results, 'cost.cpu'):.1f} s**"],
        *([says, f"{each * cost.PER / 1e6:,.0f} MB"] for says, each in kept.items()),
    ]
    return table(["100,000 events", ""], rows)


def write_processes(results: Results) -> str:
    """Return what more processes of a kind do together."""
    rows = []
    for kind in (scaling.INGESTS, scaling.WORKERS):
        one = median_of(results, "scaling.rate", next(iter(kind)))
        for who in kind:
            rate, spent, had = (
                median_of(results, f"scaling.{each}", who) for each in ("rate", "cpu", "core")
            )
            says = scaling.EXPERIMENT.contestants[who]
            rows.append(
                [says, f"{rate:,.0f}", f"{rate / one:.2f}", f"{spent:,.0f}", f"{had:.0f} %"]
            )
    return table(["", "a second", "of one", "µs of them for each", "of a core"], rows)


def write_moves(results: Results) -> str:
    """Return what it costs when workers come and go."""
    rows = [
        [
            scaling.EXPERIMENT.contestants[who],
            *(f"{median_of(results, f'scaling.{each}', who):,.0f} ms" for each in ("pause", "lag")),
        ]
        for who in (scaling.CALM, *scaling.MOVES, scaling.KILLED)
    ]
    return table(["", "a partition stands still", "oldest event waits"], rows)


def write_month(results: Results) -> str:
    """Return what a month of a thousand events a second needs."""
    return _needs(results, MONTH)


def write_internet(results: Results) -> str:
    """Return the same of internet scale."""
    return _needs(results, INTERNET)


def _needs(results: Results, load: Load) -> str:
    rows = [
        [need.what, f"{_number(need.amount)} {need.unit}".strip(), need.why]
        for need in find_needs(results, load)
    ]
    return table([f"{load.events_per_s:,} events/s, {load.users:,} users", "", "from"], rows)


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:,.2g}"


def write_limits(results: Results) -> str:
    """Return where what there is only one of is at its end, the lowest first."""
    worker, relay = (cpu_us(results, who) for who in ("worker", "relay"))
    server = server_us(results)
    lock = median_of(results, "growth.lock", MANY) * median_of(results, "cost.changes")
    partitions = USER_EVENTS.partitions
    limits = [
        (1e6 / relay, "one relay, a core full", f"{relay:,.0f} µs of it for each event"),
        (1e6 / lock, "the outbox's lock, never free", f"held {lock:,.0f} µs for each event"),
        (
            partitions / worker * 1e6,
            f"{partitions} partitions, so {partitions} workers, a core each",
            f"{worker:,.0f} µs of one for each event",
        ),
        (
            SERVER_CORES / HEADROOM / server * 1e6,
            f"one primary, half of {SERVER_CORES} cores",
            f"{server:,.0f} µs for each event, all its processes",
        ),
    ]
    rows = [[what, f"{rate:,.0f}", why] for rate, what, why in sorted(limits)]
    return table(["the end of", "events/s", "from"], rows)


def write_shards(results: Results) -> str:
    """Return how many of each internet scale needs."""
    rate = INTERNET.events_per_s
    worker, relay = (cpu_us(results, who) for who in ("worker", "relay"))
    server = server_us(results)
    workers = math.ceil(rate * worker / 1e6 * HEADROOM)
    shards = math.ceil(rate * server / 1e6 / (SERVER_CORES / HEADROOM))
    relays = max(shards, math.ceil(rate * relay / 1e6 * HEADROOM))
    users = INTERNET.users / shards
    indexes = median_of(results, "growth.user_indexes", MANY)
    rows = [
        ["databases", str(shards), f"PostgreSQL's {server:,.0f} µs, half of {SERVER_CORES} cores"],
        ["users of each", f"{users:,.0f}", "by arithmetic"],
        ["events/s of each", f"{rate / shards:,.0f}", "by arithmetic"],
        [
            "indexes of each one's users",
            f"{indexes * users / 1e9:,.0f} GB",
            f"{indexes:,.0f} bytes",
        ],
        ["worker processes", str(workers), f"{worker:,.0f} µs, half busy"],
        ["relays, one for each database at least", str(relays), f"{relay:,.0f} µs, half busy"],
    ]
    return table(["", "", "from"], rows)


WRITERS: Final[Mapping[str, Callable[[Results], str]]] = {
    "rates": write_rates,
    "ledger": write_ledger,
    "backlog": write_backlog,
    "sizes": write_sizes,
    "processes": write_processes,
    "moves": write_moves,
    "cost": write_cost,
    "month": write_month,
    "internet": write_internet,
    "limits": write_limits,
    "shards": write_shards,
}


def with_tables(page: str, results: Results) -> str:
    """Return the page with its tables written anew."""

    def write(place: re.Match[str]) -> str:
        try:
            made = WRITERS[place[2]](results)
        except KeyError:
            made = "Not measured yet.\n"
        return f"{place[1]}\n{made}\n{place[3]}"

    return _PLACE.sub(write, page)
