"""The code of every earlier revision on the newest tables: while a release is rolled out, it runs.

Its statements were kept when the next revision came (see freeze.py), so this does not run the
tests of that release, which lie in its commit, but what it would say to the database: every
statement must still be understood and planned, and its rows must still be taken.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from deploy.migrate import migrate
from deploy.revisions import list_revisions
from schema.postgres.statements import read_statements
from tests.integration.schema.freeze import STATEMENTS, current_statements, newest_file

if TYPE_CHECKING:
    from collections.abc import Callable

    AddRevision = Callable[..., Path]
    Database = asyncpg.Connection[asyncpg.Record]

ROWS = Path(__file__).parent / "rows"
IDS = [each.id for each in list_revisions()]
PLANNED = re.compile(
    r"(--.*\n)*\s*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES)\b", re.IGNORECASE
)


async def _run_as_old_code(database: Database, revision: str) -> None:
    """Plan each statement, ON CONFLICT and all, and write the rows, without keeping them."""
    for name, statement in read_statements(str(STATEMENTS / f"{revision}.sql")).items():
        if PLANNED.match(statement):
            try:
                await database.execute(f"EXPLAIN (GENERIC_PLAN) {statement}")
            except asyncpg.PostgresError as error:
                raise AssertionError(f"{revision} {name}: {error}") from error
    transaction = database.transaction()
    await transaction.start()
    await database.execute((ROWS / f"{revision}.sql").read_text())
    await transaction.rollback()


def test_the_statements_of_today_are_kept() -> None:
    """They become old code with the next revision: `python -m tests.integration.schema.freeze`."""
    assert current_statements() == newest_file().read_text(encoding="utf-8")


@pytest.mark.parametrize("revision", IDS)
async def test_old_code_runs_on_new_tables(database: Database, revision: str) -> None:
    """Statements are understood and planned, rows are taken."""
    await _run_as_old_code(database, revision)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("ALTER TABLE users RENAME COLUMN first_name TO given_name", "first_name"),
        ("ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE", "ON CONFLICT"),
        ("ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en'", None),
        ("CREATE TABLE notes (id bigint)", None),
    ],
)
async def test_what_breaks_old_code_is_found(
    database: Database,
    database_url: str,
    add_revision: AddRevision,
    change: str,
    complaint: str | None,
) -> None:
    """A contraction fails the test above, an expansion does not."""
    await migrate(database_url, scripts=add_revision(up=change))

    if complaint is None:
        await _run_as_old_code(database, IDS[-1])
    else:
        with pytest.raises(AssertionError, match=complaint):
            await _run_as_old_code(database, IDS[-1])


async def test_a_column_that_old_code_does_not_fill_is_found(
    database: Database, database_url: str, add_revision: AddRevision
) -> None:
    """Planning alone would not notice; the rows do."""
    await migrate(
        database_url, scripts=add_revision(up="ALTER TABLE events ADD COLUMN tenant text NOT NULL")
    )

    with pytest.raises(asyncpg.NotNullViolationError):
        await _run_as_old_code(database, IDS[-1])
