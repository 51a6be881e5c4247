"""Bring a database to the declared state: revisions, partitions for the months ahead, rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from rich.console import Console
from sqlalchemy.exc import DBAPIError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from deploy.database import connected
from deploy.engine import open_engine
from deploy.errors import OperatorError
from deploy.partitions import (
    MONTHS_AHEAD,
    add_month,
    find_missing,
    index_default,
    month_of,
    wait_for_others,
)
from deploy.revisions import BASE, HEAD, MIGRATIONS, current_revision, run_revisions
from deploy.rights.grant import grant_rights
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncEngine

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)
_LOCKED: Final = {"55P03", "40P01"}
"""lock_not_available and deadlock_detected: somebody else's transaction is in the way."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a migration waits for locks.

    A statement that waits for a lock makes everybody queue behind it who wants the table after
    it, readers too. So each wait is short, all is undone, and the whole is tried again.
    """

    lock_timeout_ms: int = 5_000
    attempts: int = 5
    longest_pause_s: float = 10.0


async def migrate(
    database_url: str,
    *,
    to: str = HEAD,
    scripts: Path = MIGRATIONS,
    patience: Patience = Patience(),
    rights: bool = True,
) -> str:
    """Bring the database to a revision, and return the one it is at.

    All in one transaction under an advisory lock, partitions and rights after it: a second call
    waits and then finds nothing to do. Without `rights` nothing is done that other databases of
    the server would see: roles are the server's. Raises OperatorError when others keep what is to
    be changed locked, and what the driver raises when the database is not there.
    """
    engine = open_engine(database_url)
    revision = BASE
    try:
        async for attempt in _attempts(patience):
            with attempt:
                revision = await _migrate_once(engine, to=to, scripts=scripts, patience=patience)
    except DBAPIError as error:
        if _is_locked(error):
            raise OperatorError(await _say_who_locks(engine)) from error
        raise
    await _finish(database_url, rights=rights)
    return revision


async def _migrate_once(engine: AsyncEngine, *, to: str, scripts: Path, patience: Patience) -> str:
    async with engine.begin() as connection:
        await connection.execute(sa.text(_SQL["wait_for_other_migrations"]))
        limit = {"limit": str(patience.lock_timeout_ms)}
        await connection.execute(sa.text(_SQL["limit_waits_for_locks"]), limit)
        await connection.run_sync(run_revisions, to=to, scripts=scripts)
        return await connection.run_sync(current_revision)


def _attempts(patience: Patience) -> AsyncRetrying:
    def say(state: RetryCallState) -> None:
        Console(stderr=True, highlight=False).print(
            f"Somebody holds a lock that the migration needs; all is undone, and tried again "
            f"({state.attempt_number} of {patience.attempts}) …"
        )

    return AsyncRetrying(
        retry=retry_if_exception(_is_locked),
        stop=stop_after_attempt(patience.attempts),
        wait=wait_random_exponential(max=patience.longest_pause_s),
        before_sleep=say,
        reraise=True,
    )


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _LOCKED


async def _say_who_locks(engine: AsyncEngine) -> str:
    async with engine.connect() as connection:
        rows = await connection.execute(sa.text(_SQL["oldest_transactions"]))
        oldest = [f"pid {row.pid} ({row.name}) for {row.seconds} s" for row in rows]
    return (
        "The migration gave up waiting for a lock; nothing is changed. "
        f"The oldest transactions: {', '.join(oldest) or 'none that this role may see'}. "
        "Let them end, or end them with pg_terminate_backend(pid), and run it again."
    )


async def _finish(database_url: str, *, rights: bool) -> None:
    async with connected(database_url, name="clerkwork-migrate") as connection:
        if not await connection.fetchval(_SQL["has_ledger"]):
            return
        await wait_for_others(connection)
        await _create_partitions(connection)
        refused = await grant_rights(connection) if rights else []
    if refused:
        _say_what_is_refused(refused)


async def _create_partitions(connection: Connection) -> None:
    await index_default(connection)
    now: datetime = await connection.fetchval("SELECT now()")
    last_month = month_of(now, plus=-1)
    for month in await find_missing(connection, now=now, ahead=MONTHS_AHEAD, since=last_month):
        await add_month(connection, month)


def _say_what_is_refused(statements: Sequence[str]) -> None:
    lines = "".join(f"\n    {each};" for each in statements)
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(
        "The tables are as declared, but this role may not give all rights. Somebody who may can"
        f" do it with these statements; then run clerkwork migrate again:{lines}"
    )
