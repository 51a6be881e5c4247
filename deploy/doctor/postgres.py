"""PostgreSQL: reached, new enough, migrated, kept in order; and what it knows of the rest."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import asyncpg

from deploy.doctor.ages import tell_age
from deploy.doctor.keys import judge_clock
from deploy.doctor.patient import AwayError, database
from deploy.doctor.verdict import Verdict, fine, warn, wrong
from deploy.partitions import find_missing, month_of
from deploy.revisions import list_revisions
from schema.postgres.statements import read_statements
from workers.relay import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.partitions import Month

OLDEST: Final = 18
"""The version of PostgreSQL that all tests run on."""

MOST_COUNTED: Final = 10_000

FEW_CHECKPOINTS: Final = 20
"""So many may be asked for: commands and backups do that, too."""

LATE_S: Final = 60.0
"""A change that waits for longer is worth a look."""

_SQL: Final = read_statements(__file__)
_BACKLOG: Final = read_statements(measure.__file__)


async def check_postgres() -> Verdict:
    """Look whether PostgreSQL answers, and is new enough."""
    try:
        async with database() as connection:
            [row] = await connection.fetch(_SQL["describe_server"])
            zone = await connection.fetchval(_SQL["find_time_zone"])
    except AwayError as error:
        return wrong(f"{error}.", "Start it, or correct DATABASE_URL.")
    return judge_server(row["version"], row["version_text"], zone=zone)


def judge_server(version: int, text: str, *, zone: str) -> Verdict:
    """Return whether a server is new enough; `version` as in server_version_num."""
    told = f"PostgreSQL {text}, time zone {zone}"
    if version // 10_000 < OLDEST:
        return wrong(f"{told}.", f"Take PostgreSQL {OLDEST} or newer: nothing older is tested.")
    return fine(told)


async def check_checkpoints() -> Verdict:
    """Look whether PostgreSQL's log has room from one checkpoint to the next."""
    async with database() as connection:
        [row] = await connection.fetch(_SQL["count_checkpoints"])
    return judge_checkpoints(timed=row["timed"], requested=row["requested"], room=row["room"])


def judge_checkpoints(*, timed: int, requested: int, room: str) -> Verdict:
    """Return whether most checkpoints come by time.

    Whatever is changed first after a checkpoint is written twice, and the page around it:
    https://www.postgresql.org/docs/18/wal-configuration.html
    """
    if requested > max(timed, FEW_CHECKPOINTS):
        return warn(
            f"{requested} checkpoints were asked for, {timed} came by time: the log is full early.",
            f"Raise max_wal_size, {room} now, and checkpoint_timeout: workers write less then.",
        )
    return fine(f"{timed} checkpoints by time, {requested} asked for")


async def check_postgres_clock() -> Verdict:
    """Look how far our clock is from the database's."""
    async with database() as connection:
        before = time.time()
        [row] = await connection.fetch(_SQL["describe_server"])
    return judge_clock((before + time.time()) / 2 - row["seconds"], of="PostgreSQL's")


async def check_revision() -> Verdict:
    """Look whether the database is as this version of clerkwork has it."""
    known = [each.id for each in list_revisions()]
    try:
        async with database() as connection:
            at = await connection.fetchval(_SQL["find_revision"])
    except asyncpg.UndefinedTableError:
        at = None
    return judge_revision(at, known)


def judge_revision(at: str | None, known: Sequence[str]) -> Verdict:
    """Return whether a database at a revision has all that are known, the oldest first."""
    if at == known[-1]:
        return fine(f"at {at}, the newest")
    if at is None or at in known:
        return wrong(
            f"at {at or 'none'}; the newest is {known[-1]}.",
            "Run clerkwork migrate; migrate --rehearse tells how long it takes.",
        )
    return warn(
        f"at {at}, which this clerkwork does not know.",
        "Run the doctor from the version that runs everywhere else.",
    )


async def check_ledger() -> Verdict:
    """Look whether the ledger has partitions for now and for the month to come."""
    now = datetime.now(UTC)
    async with database() as connection:
        return judge_months(
            await find_missing(connection, now=now, ahead=1, since=month_of(now, plus=-1))
        )


def judge_months(missing: Sequence[Month]) -> Verdict:
    """Return which months have no partition."""
    if missing:
        return warn(
            f"no partition for {', '.join(f'{each.begins:%Y-%m}' for each in missing)}:"
            " events of then lie in the default one.",
            "Run clerkwork maintain, every hour by cron.",
        )
    return fine("partitions until the end of next month")


async def check_stops() -> Verdict:
    """Look whether too many rejects have stopped a partition."""
    async with database() as connection:
        stops = await connection.fetchval(_SQL["count_stops"])
    if stops:
        return wrong(
            f"{stops} partitions are stopped.", "See clerkwork line show, then line release."
        )
    return fine("no partition is stopped")


async def check_letters() -> Verdict:
    """Look whether dead letters wait for somebody."""
    async with database() as connection:
        [row] = await connection.fetch(_SQL["count_letters"], MOST_COUNTED)
    if not row["letters"]:
        return fine("none waits")
    return warn(
        f"{row['letters']} wait, the oldest for {tell_age(row['now'] - row['oldest'])}.",
        "See clerkwork dlq list; then dlq replay, edit or purge.",
    )


async def check_sweep(kind: str, *, within: timedelta | None) -> Verdict:
    """Look whether all that Clerk has was looked through, and lately where that matters."""
    async with database() as connection:
        rows = {row["kind"]: row for row in await connection.fetch(_SQL["find_sweeps"])}
    row = rows.get(kind)
    if row is None:
        return warn("never done.", f"Run clerkwork {kind}.")
    if row["unfinished"]:
        return warn(
            f"not finished; its last step was {tell_age(row['now'] - row['noted_at'])} ago.",
            f"Run clerkwork {kind} unless it runs: it goes on where it was.",
        )
    age = row["now"] - row["finished_at"]
    if within and age > within:
        return warn(f"done {tell_age(age)} ago.", f"Run clerkwork {kind} every day, by cron.")
    return fine(f"done {tell_age(age)} ago")


async def check_relay() -> Verdict:
    """Look whether a relay publishes changes, and how far behind it is."""
    async with database() as connection:
        holders = await connection.fetchval(_SQL["count_relays"])
        [row] = await connection.fetch(_BACKLOG["measure_backlog"], 0, MOST_COUNTED)
    return judge_relay(active=bool(holders), pending=row["pending"], lag_s=row["lag"])


def judge_relay(*, active: bool, pending: int, lag_s: float) -> Verdict:
    """Return whether changes are published."""
    told = f"{pending} changes wait" + (f", the oldest for {lag_s:.0f} s" if pending else "")
    if not active:
        return wrong(f"No relay is active; {told}.", "Start clerkwork relay.")
    if lag_s > LATE_S:
        return warn(f"{told}.", "See the relay's log and /readyz.")
    return fine(f"active, {told}")
