"""Write what was measured into deploy/docs/scale.md: `python -m tests.bench.cost_page [JSON...]`.

Each file is what one of the measuring commands noted; it replaces that part of
deploy/docs/scale.json, of which the page's tables are made. Without files only the page is written.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schema.kafka.topics import USER_EVENTS
from tests.bench.cost_month import (
    HEADROOM,
    MEASURED,
    Load,
    bytes_per,
    cpu_us,
    find_needs,
    read_measured,
)
from tests.bench.growth import SIZES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAGE: Final = MEASURED.with_suffix(".md")
MONTH: Final = Load(events_per_s=1_000, users=1_000_000)
INTERNET: Final = Load(events_per_s=50_000, users=100_000_000)
FEW, MANY = SIZES
SERVER_CORES: Final = 32
"""Of the server that one primary is reckoned with, half of them busy."""
_PLACE: Final = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- /measured -->)", re.DOTALL)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; all but the first column are numbers or short."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_rates(measured: Mapping[str, Any]) -> str:
    """Return rates where there are many users against those where there are few."""
    rows = []
    for settings, found in measured["rates"].items():
        for what in ("worker", "api"):
            if f"{what} {FEW}" not in found:
                continue
            few, many = (_middle(found[f"{what} {size}"]) for size in (FEW, MANY))
            ratio = many["per_second"] / few["per_second"]
            rows.append(
                [
                    f"{what}, {settings} settings",
                    *(f"{each['per_second']:,.0f}" for each in (few, many)),
                    f"**{ratio:.2f}**",
                    *(f"{each['cpu_us']:,.0f} + {each['server_us']:,.0f}" for each in (few, many)),
                    *(f"{each['wal_bytes']:,.0f}" for each in (few, many)),
                ]
            )
    head = ["", "10,000 users, /s", "1,000,000, /s", "ratio", "µs each, 10,000 users"]
    return table([*head, "µs, 1,000,000", "WAL bytes, 10,000", "WAL, 1,000,000"], rows)


def _middle(rates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(rate[name] for rate in rates) for name in rates[0]}


def write_ledger(measured: Mapping[str, Any]) -> str:
    """Return what an event in the ledger takes."""
    rows = [
        [
            str(each["months"]),
            f"{each['rows']:,}",
            f"{each['server_us']:.1f}",
            f"{each['wall_us']:.1f}",
        ]
        for each in measured["ledger"]
    ]
    return table(["months", "events this month", "µs of PostgreSQL", "µs in all"], rows)


def write_backlog(measured: Mapping[str, Any]) -> str:
    """Return the first and the last tenth of a backlog."""
    found = measured["backlog"]
    head = ["", "first tenth", "last tenth"]
    rows = [["events a second", f"{found['first_per_s']:,.0f}", f"{found['last_per_s']:,.0f}"]]
    if "first_mb" in found:
        megabytes = [f"{found['first_mb']:.0f} MB", f"{found['last_mb']:.0f} MB"]
        rows.append(["memory of the worker", *megabytes])
    return f"{found['events']:,} events in {found['seconds']:,.0f} s.\n\n" + table(head, rows)


def write_sizes(measured: Mapping[str, Any]) -> str:
    """Return how large tables and indexes are."""
    rows = []
    for each in measured["size"]["sizes"]:
        kind = "row" if each["table"] in {"events", "outbox"} else "user"
        name = f"`{each['name']}`" + (" (index)" if each["index"] else "")
        rows.append(
            [name, f"{each['bytes'] / 1e6:,.0f} MB", f"{each[f'per_{kind}']:,.0f} a {kind}"]
        )
    for name, kind in (("a user, all in all", "users"), ("an event in the ledger", "events")):
        rows.append([f"**{name}**", "", f"**{bytes_per(measured, kind):,.0f}**"])
    rows.append(["**a change in the outbox**", "", f"**{bytes_per(measured, 'outbox'):,.0f}**"])
    return table(["", "size", "bytes"], rows)


def write_cost(measured: Mapping[str, Any]) -> str:
    """Return what 100,000 events cost."""
    cost = measured["cost"]
    rows = [
        [name, f"{each:.1f} s"] for name, each in cost["cpu_s_per_100k"].items() if each >= 0.05
    ]
    total = sum(cost["cpu_s_per_100k"].values())
    wal, images = cost["wal_bytes_per_event"], cost["wal_image_bytes_per_event"]
    rows += [
        ["**CPU, all in all**", f"**{total:.1f} s**"],
        ["WAL without whole pages", f"{(wal - images) * 1e5 / 1e6:,.0f} MB"],
        ["whole pages in it, after one checkpoint", f"{images * 1e5 / 1e6:,.0f} MB"],
        *(
            [f"{name}, grown by", f"{each * 1e5 / 1e6:,.0f} MB"]
            for name, each in cost["kept_bytes_per_event"].items()
            if each >= 1
        ),
    ]
    return table(["100,000 events", ""], rows)


def write_month(measured: Mapping[str, Any]) -> str:
    """Return what a month of a thousand events a second needs."""
    return _needs(measured, MONTH)


def write_internet(measured: Mapping[str, Any]) -> str:
    """Return the same of internet scale."""
    return _needs(measured, INTERNET)


def _needs(measured: Mapping[str, Any], load: Load) -> str:
    rows = [
        [need.what, f"{_number(need.amount)} {need.unit}".strip(), need.why]
        for need in find_needs(measured, load)
    ]
    return table([f"{load.events_per_s:,} events/s, {load.users:,} users", "", "from"], rows)


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:,.2g}"


def write_limits(measured: Mapping[str, Any]) -> str:
    """Return where what there is only one of is at its end, the lowest first."""
    worker, server, relay = (cpu_us(measured, name) for name in ("worker", "PostgreSQL", "relay"))
    told = measured["cost"]["changes"] / measured["cost"]["events"]
    lock = measured["size"]["lock"]["held_us_per_change"] * told
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


def write_shards(measured: Mapping[str, Any]) -> str:
    """Return how many of each internet scale needs."""
    rate = INTERNET.events_per_s
    worker, server, relay = (cpu_us(measured, name) for name in ("worker", "PostgreSQL", "relay"))
    workers = math.ceil(rate * worker / 1e6 * HEADROOM)
    shards = math.ceil(rate * server / 1e6 / (SERVER_CORES / HEADROOM))
    relays = max(shards, math.ceil(rate * relay / 1e6 * HEADROOM))
    users = INTERNET.users / shards
    indexes = sum(
        each["per_user"]
        for each in measured["size"]["sizes"]
        if each["index"] and each["table"] not in {"events", "outbox"}
    )
    per = rate / shards
    rows = [
        ["databases", str(shards), f"PostgreSQL's {server:,.0f} µs, half of {SERVER_CORES} cores"],
        ["users of each", f"{users:,.0f}", "by arithmetic"],
        ["events/s of each", f"{per:,.0f}", "by arithmetic"],
        [
            "indexes of each one's users",
            f"{indexes * users / 1e9:,.0f} GB",
            f"{indexes:,.0f} bytes",
        ],
        ["worker processes", str(workers), f"{worker:,.0f} µs, half busy"],
        ["relays, one for each database at least", str(relays), f"{relay:,.0f} µs, half busy"],
    ]
    return table(["", "", "from"], rows)


WRITERS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "rates": write_rates,
    "ledger": write_ledger,
    "backlog": write_backlog,
    "sizes": write_sizes,
    "cost": write_cost,
    "month": write_month,
    "internet": write_internet,
    "limits": write_limits,
    "shards": write_shards,
}


def with_tables(page: str, measured: Mapping[str, Any]) -> str:
    """Return the page with its tables written anew."""

    def write(place: re.Match[str]) -> str:
        try:
            made = WRITERS[place[2]](measured)
        except KeyError:
            made = "Not measured yet.\n"
        return f"{place[1]}\n{made}\n{place[3]}"

    return _PLACE.sub(write, page)


def main(files: Sequence[str]) -> None:
    """Take the files in and write the page."""
    measured = dict(read_measured()) if MEASURED.exists() else {}
    for file in files:
        part = json.loads(Path(file).read_text())
        name = Path(file).stem
        if name.startswith("rates"):
            measured.setdefault("rates", {})[name.partition("-")[2] or "default"] = part
        else:
            measured[name] = part
    MEASURED.write_text(json.dumps(measured, indent=1) + "\n")
    PAGE.write_text(with_tables(PAGE.read_text(), measured))


if __name__ == "__main__":
    main(sys.argv[1:])
