"""Rehearse: a copy, the revisions that the database has not seen, a report."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from deploy.errors import OperatorError
from deploy.migrate import migrate
from deploy.rehearse.measure import Failure, Step, measure
from deploy.rehearse.sample import Sample, compare_structures, copy_sample
from deploy.rehearse.scratch import connected, list_leftovers, scratch_database
from deploy.rehearse.show import print_rehearsal
from deploy.revisions import BASE, MIGRATIONS, Revision, list_revisions
from deploy.signals import interruptible

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    Connection = asyncpg.Connection[asyncpg.Record]

ROWS: Final = 10_000
"""So many of each table are copied unless somebody wishes otherwise."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What became of it."""

    at: str
    """The revision of the real database."""
    leftovers: tuple[str, ...] = ()
    """Scratch databases of rehearsals that were killed."""
    drift: tuple[str, ...] = ()
    """Where the real database differs from what its revisions make."""
    samples: tuple[Sample, ...] = ()
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None


def rehearse_and_tell(
    database_url: str, *, rows: int, console: Console, scripts: Path = MIGRATIONS
) -> int:
    """Rehearse, print what was found, and return 1 when a revision failed.

    Raises OperatorError. Whatever signal ends it, the copy is dropped.
    """
    with interruptible():
        found = asyncio.run(rehearse(database_url, rows=rows, scripts=scripts))
        return print_rehearsal(found, console)


async def rehearse(database_url: str, *, rows: int = ROWS, scripts: Path = MIGRATIONS) -> Rehearsal:
    """Run what is pending on a copy of the database, and return what it did.

    The copy is a database of its own on the same server, with a sample of the rows: personal
    data stays where it is, and is dropped in the end. The real database is only read. Raises
    OperatorError.
    """
    try:
        async with connected(database_url, read_only=True) as real:
            return await _rehearse(real, database_url, rows=rows, scripts=scripts)
    except (asyncpg.PostgresError, SQLAlchemyError) as error:
        raise OperatorError(f"PostgreSQL refuses: {str(error).splitlines()[0]}.") from error
    except OSError as error:
        raise OperatorError(
            f"PostgreSQL does not answer ({error}). Is it up, and DATABASE_URL right?"
        ) from error


async def _rehearse(real: Connection, database_url: str, *, rows: int, scripts: Path) -> Rehearsal:
    at = await _current(real)
    pending = _after(at, list_revisions(scripts))
    leftovers = tuple(await list_leftovers(real))
    if not pending:
        return Rehearsal(at=at, leftovers=leftovers)
    async with scratch_database(database_url) as url:
        if at != BASE:
            await migrate(url, to=at, scripts=scripts, rights=False)
        async with (
            connected(url) as scratch,
            real.transaction(isolation="repeatable_read", readonly=True),
        ):
            drift = await compare_structures(real, scratch)
            samples = await copy_sample(real, scratch, rows=rows)
        steps, failure = await measure(url, pending, scripts)
    return Rehearsal(
        at=at,
        leftovers=leftovers,
        drift=tuple(drift),
        samples=tuple(samples),
        steps=tuple(steps),
        failure=failure,
    )


async def _current(real: Connection) -> str:
    if await real.fetchval("SELECT to_regclass('alembic_version')") is None:
        return BASE
    return await real.fetchval("SELECT version_num FROM alembic_version") or BASE


def _after(at: str, revisions: list[Revision]) -> list[Revision]:
    ids = [BASE, *(each.id for each in revisions)]
    if at not in ids:
        raise OperatorError(
            f"The database is at revision {at}, which this clerkwork does not know. "
            "Rehearse with the release that it comes from, or a later one."
        )
    return revisions[ids.index(at) :]
