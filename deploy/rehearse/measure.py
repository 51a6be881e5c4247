"""Run revisions as `migrate` would, and measure each: time, locks, rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from deploy.engine import open_engine
from deploy.rehearse.sample import quote
from deploy.revisions import MIGRATIONS, Revision, run_revisions
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

MODES: Final = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""The weakest first: https://www.postgresql.org/docs/18/explicit-locking.html"""
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one revision did."""

    revision: Revision
    seconds: float
    locks: Mapping[str, str]
    """Table -> the strongest lock, where this revision took a stronger one than those before."""
    before: Mapping[str, int]
    """Table -> rows."""
    after: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a revision could not be run."""

    revision: Revision
    sqlstate: str
    reason: str
    statement: str


async def measure(
    database_url: str, pending: Sequence[Revision], scripts: Path = MIGRATIONS
) -> tuple[list[Step], Failure | None]:
    """Run the revisions in one transaction; return what each did, and what ended it too early."""
    steps: list[Step] = []
    try:
        async with open_engine(database_url).begin() as connection:
            tables = await connection.run_sync(_list_tables)
            for revision in pending:
                step = await connection.run_sync(
                    _run_one, revision=revision, scripts=scripts, tables=tables, steps=steps
                )
                steps.append(step)
    except DBAPIError as error:
        # What is deferred fails at the commit, after the last.
        return steps, _explain(error, pending[min(len(steps), len(pending) - 1)])
    return steps, None


def _run_one(
    connection: Connection,
    *,
    revision: Revision,
    scripts: Path,
    tables: Mapping[int, str],
    steps: Sequence[Step],
) -> Step:
    before = steps[-1].after if steps else _count(connection)
    held = _list_locks(connection, tables)
    begin = time.perf_counter()
    run_revisions(connection, to=revision.id, scripts=scripts)
    seconds = time.perf_counter() - begin
    locks = _list_locks(connection, tables)
    return Step(
        revision=revision,
        seconds=seconds,
        locks={table: mode for table, mode in locks.items() if held.get(table) != mode},
        before=before,
        after=_count(connection),
    )


def _list_tables(connection: Connection) -> Mapping[int, str]:
    """Return the tables that others may be using, each partition under the name of the whole."""
    rows = connection.execute(sa.text(_SQL["list_tables"]))
    return {row.oid: row.name for row in rows}


def _list_locks(connection: Connection, tables: Mapping[int, str]) -> Mapping[str, str]:
    strongest: dict[str, str] = {}
    for row in connection.execute(sa.text(_SQL["list_locks"])):
        table = tables.get(row.relation)
        # Reading, as our own counting does, stands in nobody's way but of who changes tables.
        if table and row.mode != MODES[0]:
            strongest[table] = max(row.mode, strongest.get(table, row.mode), key=MODES.index)
    return strongest


def _count(connection: Connection) -> Mapping[str, int]:
    return {
        name: connection.scalar(sa.text(f"SELECT count(*) FROM {quote(name)}")) or 0  # noqa: S608 - quoted
        for name in connection.scalars(sa.text(_SQL["list_names"])).all()
    }


def _explain(error: DBAPIError, revision: Revision) -> Failure:
    # SQLAlchemy's own error names its classes; the driver's has the server's words.
    cause = getattr(error.orig, "__cause__", None) or error
    return Failure(
        revision=revision,
        sqlstate=getattr(error.orig, "sqlstate", None) or "none",
        reason=(str(cause) or type(cause).__name__).splitlines()[0],
        statement=" ".join((error.statement or "COMMIT").split()),
    )
