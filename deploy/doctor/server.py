"""PostgreSQL as a server: set so that what is committed stays, with room for what is to come."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.doctor.broker import HARDLY_ANY, LITTLE
from deploy.doctor.patient import database
from deploy.doctor.verdict import Verdict, fine, skip, warn, wrong
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FATAL: Final = {"fsync": "on", "full_page_writes": "on"}
"""Without these a crash loses what was committed, or everything."""

LOSING: Final = ("off",)
"""synchronous_commit: an event would count as applied, and be gone after a crash."""

WANTED: Final = {"autovacuum": "on", "track_counts": "on"}
"""Without these tables grow, and transaction ids run out."""

CROWDED: Final = 0.8
"""Of the connections that there may be."""

AGED: Final = 1.5
"""So many times older than what autovacuum freezes at: it does not get there."""
LAST: Final = 1_800_000_000
"""From 2.1 billion on PostgreSQL takes no writes:
https://www.postgresql.org/docs/18/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND"""

HELD: Final = 10 << 30
"""So many bytes of log that nobody fetches fill a disk."""

_SQL: Final = read_statements(__file__)


async def check_settings() -> Verdict:
    """Look whether what is committed survives a crash, and is looked after."""
    names = [*FATAL, *WANTED, "synchronous_commit"]
    async with database() as connection:
        rows = await connection.fetch(_SQL["find_settings"], names)
    return judge_settings({row["name"]: row["reset_val"] for row in rows})


def judge_settings(found: Mapping[str, str]) -> Verdict:
    """Return which settings lose data, or let the server decay."""
    if found.get("standby") == "true":
        return wrong(
            "DATABASE_URL names a standby: nothing can be written.",
            "Name the primary: SELECT conninfo FROM pg_stat_wal_receiver tells it.",
        )
    lost = [name for name, value in FATAL.items() if found.get(name, value) != value]
    lost += ["synchronous_commit"] if found.get("synchronous_commit") in LOSING else []
    if lost:
        return wrong(
            f"{', '.join(lost)} off: a crash loses what was committed.",
            f"ALTER SYSTEM SET {lost[0]} = on; SELECT pg_reload_conf();",
        )
    decaying = [name for name, value in WANTED.items() if found.get(name, value) != value]
    if decaying:
        return warn(
            f"{', '.join(decaying)} off: tables grow, and transaction ids run out.",
            f"ALTER SYSTEM SET {decaying[0]} = on; SELECT pg_reload_conf();",
        )
    return fine(", ".join(f"{name} {found[name]}" for name in sorted(found) if name != "standby"))


async def check_connections() -> Verdict:
    """Look whether there are connections left."""
    async with database() as connection:
        [row] = await connection.fetch(_SQL["count_connections"])
    return judge_connections(used=row["used"], most=row["most"])


def judge_connections(*, used: int, most: int) -> Verdict:
    """Return whether there is room for a burst."""
    told = f"{used} of {most} connections are used"
    if used > CROWDED * most:
        return warn(
            f"{told}.",
            "Lower API_POOL_MAX, or ALTER SYSTEM SET max_connections and restart PostgreSQL.",
        )
    return fine(told)


async def check_age() -> Verdict:
    """Look whether transaction ids are won back in time."""
    async with database() as connection:
        [row] = await connection.fetch(_SQL["find_age"])
    return judge_age(age=row["age"], due=row["due"])


def judge_age(*, age: int, due: int) -> Verdict:
    """Return whether autovacuum keeps up; it begins at an age of `due`."""
    told = f"the oldest is {age / 1e6:.0f} million transactions old"
    fix = "VACUUM (FREEZE, VERBOSE); first end what holds rows: see pg_stat_activity, backend_xmin."
    if age > LAST:
        return wrong(f"{told}: PostgreSQL will soon take no writes.", fix)
    return (
        warn(f"{told}; autovacuum begins at {due / 1e6:.0f}.", fix)
        if age > AGED * due
        else fine(told)
    )


async def check_statistics() -> Verdict:
    """Look whether the planner knows the tables as they are."""
    async with database() as connection:
        return judge_statistics([row["name"] for row in await connection.fetch(_SQL["find_stale"])])


def judge_statistics(stale: Sequence[str]) -> Verdict:
    """Return of which tables it knows too little."""
    if stale:
        return warn(f"old for {', '.join(stale)}.", f"ANALYZE {', '.join(stale)};")
    return fine("as new as the tables")


async def check_slots() -> Verdict:
    """Look whether a replication slot keeps PostgreSQL from removing its log."""
    async with database() as connection:
        rows = await connection.fetch(_SQL["find_slots"])
    return judge_slots([dict(row) for row in rows])


def judge_slots(slots: Sequence[Mapping[str, object]]) -> Verdict:
    """Return which slots nobody reads, or hold too much."""
    for slot in slots:
        held = slot["held"] if isinstance(slot["held"], int) else 0
        told = f"{slot['name']} holds {held / 1e6:.0f} MB of log"
        if slot["wal_status"] in {"lost", "unreserved"}:
            return wrong(
                f"{told} and is {slot['wal_status']}.", "Build that replica anew, with a new slot."
            )
        if not slot["active"] or held > HELD:
            reads = "" if slot["active"] else ", and nobody reads it"
            return warn(
                f"{told}{reads}.",
                f"Start who reads it, or SELECT pg_drop_replication_slot('{slot['name']}');",
            )
    return fine(f"{len(slots)}, all read" if slots else "none")


async def check_size() -> Verdict:
    """Look how large the database is, and whether its disk has room where that can be seen."""
    async with database() as connection:
        [row] = await connection.fetch(_SQL["find_size"])
    return judge_size(row["bytes"], free=find_free(row["directory"]) if row["here"] else None)


def find_free(directory: str | None) -> float | None:
    """Return the share of a directory's disk that is free, None where it cannot be seen."""
    if not directory or not Path(directory).is_dir():
        return None
    usage = shutil.disk_usage(directory)
    return usage.free / usage.total


def judge_size(size: int, *, free: float | None) -> Verdict:
    """Return whether there is room; `free` is a share of the disk, None where nobody can see."""
    told = f"the database has {size / 1e6:.1f} MB"
    if free is None:
        return skip(
            f"{told}; what is free is not told.",
            'On its machine: df -h "$(psql "$DATABASE_URL" -Atc "SHOW data_directory")"',
        )
    told += f", {free:.0%} of its disk is free"
    fix = "Give it a larger disk; clerkwork maintain drops what the ledger keeps too long."
    if free < HARDLY_ANY:
        return wrong(f"{told}.", fix)
    return warn(f"{told}.", fix) if free < LITTLE else fine(told)
