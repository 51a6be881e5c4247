"""Every revision, up and down: from nothing, and with the rows of the revisions before it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import OperatorError
from deploy.migrate import Patience, migrate
from deploy.rehearse.sample import compare_structures, quote
from deploy.revisions import BASE, MIGRATIONS, list_revisions

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    AddRevision = Callable[..., Path]
    Database = asyncpg.Connection[asyncpg.Record]
    Rows = dict[str, list[dict[str, Any]]]

IDS = [each.id for each in list_revisions()]
BEFORE = dict(zip(IDS, [BASE, *IDS], strict=False))
ROWS = Path(__file__).parent / "rows"
EXPANSION = """
    CREATE TABLE notes (id bigint PRIMARY KEY, user_id uuid REFERENCES users (id), text text);
    ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en';
    CREATE INDEX users_locale_idx ON users (locale)
"""
BACK = "ALTER TABLE users DROP COLUMN locale; DROP TABLE notes"


def _statements(text: str) -> str:
    # The dialect prepares statements, so one op.execute is one statement.
    return f"DO $do$ BEGIN {text}; END $do$"


async def _tables(database: Database) -> list[str]:
    rows = await database.fetch("""
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'
    """)
    return sorted(row["relname"] for row in rows)


async def _read_rows(database: Database) -> Rows:
    """Return all rows of all tables, in an order of their own."""
    found: Rows = {}
    for table in await _tables(database):
        rows = await database.fetch(f"SELECT to_jsonb(t)::text AS row FROM {quote(table)} AS t")  # noqa: S608 - quoted
        found[table] = [json.loads(row["row"]) for row in rows]
    return found


def _seen_through(rows: Rows, columns: Rows) -> dict[str, list[str]]:
    """Return the rows as far as `columns`, rows of another moment, have tables and columns too."""
    seen: dict[str, list[str]] = {}
    for table in rows.keys() & columns.keys():
        names = {name for row in columns[table] for name in row}
        seen[table] = sorted(
            json.dumps(
                {name: value for name, value in row.items() if name in names}, sort_keys=True
            )
            for row in rows[table]
        )
    return seen


async def _survives(database: Database, url: str, *, revision: str, scripts: Path) -> None:
    """Insert the rows of a revision, go to the newest and back, and compare at each stop."""
    await migrate(url, to=revision, scripts=scripts)
    await database.execute((ROWS / f"{revision}.sql").read_text())
    old = await _read_rows(database)
    assert all(old.values()), "rows of every table, please"

    await migrate(url, scripts=scripts)
    new = await _read_rows(database)
    assert _seen_through(old, new) == _seen_through(new, old)

    assert await migrate(url, to=revision, scripts=scripts) == revision
    again = await _read_rows(database)
    assert _seen_through(_trim(old, new), again) == _seen_through(_trim(again, new), old)


def _trim(rows: Rows, columns: Rows) -> Rows:
    """Leave out what the newest revision has no place for: nothing brings that back."""
    return {
        table: [json.loads(row) for row in found]
        for table, found in _seen_through(rows, columns).items()
    }


@pytest.mark.parametrize("revision", IDS)
async def test_every_revision_goes_up_down_and_up_again(
    empty_database: Database,
    empty_database_url: str,
    database: Database,
    revision: str,
) -> None:
    """From nothing; the second time up ends at the same structure, and down at the one before."""
    before = await migrate(empty_database_url, to=BEFORE[revision])
    tables = await _tables(empty_database)
    assert await migrate(empty_database_url, to=revision) == revision
    assert await migrate(empty_database_url, to=before) == before

    assert await _tables(empty_database) == tables
    assert await migrate(empty_database_url) == IDS[-1]
    assert await compare_structures(empty_database, database) == []


async def test_down_to_nothing_leaves_nothing(database: Database, database_url: str) -> None:
    """No table, no type, no function; down again changes nothing."""
    assert await migrate(database_url, to=BASE) == BASE
    assert await migrate(database_url, to=BASE) == BASE

    left = await database.fetch("""
        SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relname NOT LIKE 'alembic_version%'
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
            AND typname NOT LIKE '%alembic_version'
    """)
    assert left == []


@pytest.mark.parametrize("revision", IDS)
async def test_rows_of_every_revision_survive(
    empty_database: Database, empty_database_url: str, revision: str
) -> None:
    """What its code wrote is the same after the upgrade to the newest and the way back."""
    await _survives(empty_database, empty_database_url, revision=revision, scripts=MIGRATIONS)


async def test_rows_survive_a_revision_that_is_still_to_come(
    empty_database: Database, empty_database_url: str, add_revision: AddRevision
) -> None:
    """The test above has teeth: a new column, index and table, over rows of today."""
    scripts = add_revision(up=_statements(EXPANSION), down=_statements(BACK))

    await _survives(empty_database, empty_database_url, revision=IDS[-1], scripts=scripts)


async def test_a_revision_that_loses_rows_is_found(
    empty_database: Database, empty_database_url: str, add_revision: AddRevision
) -> None:
    """The same with one that changes a value."""
    scripts = add_revision(up="UPDATE users SET first_name = lower(first_name)")

    with pytest.raises(AssertionError, match=r"Differing items:\s+{'users'"):
        await _survives(empty_database, empty_database_url, revision=IDS[-1], scripts=scripts)


async def test_a_failed_revision_leaves_no_trace(
    database: Database, database_url: str, add_revision: AddRevision
) -> None:
    """All revisions are one transaction."""
    scripts = add_revision(up=_statements(f"{EXPANSION}; PERFORM 1 / 0"))
    with pytest.raises(Exception, match="division by zero"):
        await migrate(database_url, scripts=scripts)

    assert "notes" not in await _tables(database)
    assert await migrate(database_url) == IDS[-1]


async def test_a_migration_does_not_queue_behind_a_long_transaction(
    database: Database, database_url: str, add_revision: AddRevision
) -> None:
    """It gives up in words, names who is in the way, and has kept nobody waiting."""
    scripts = add_revision(up="ALTER TABLE users ADD COLUMN locale text")
    patience = Patience(lock_timeout_ms=50, attempts=2, longest_pause_s=0.1)
    async with database.transaction():
        await database.execute("SELECT FROM users")
        with pytest.raises(OperatorError, match=f"pid {database.get_server_pid()} "):
            await migrate(database_url, scripts=scripts, patience=patience)


async def test_a_migration_tries_again_when_a_lock_was_taken(
    database: Database, database_url: str, add_revision: AddRevision
) -> None:
    """Whoever was in the way is gone a moment later."""
    scripts = add_revision(up="ALTER TABLE users ADD COLUMN locale text")
    patience = Patience(lock_timeout_ms=50, attempts=50, longest_pause_s=0.1)
    async with database.transaction():
        await database.execute("SELECT FROM users")
        migration = asyncio.create_task(migrate(database_url, scripts=scripts, patience=patience))
        await asyncio.sleep(0.3)
        assert not migration.done()

    assert await migration == list_revisions(scripts)[-1].id


async def test_concurrent_migrations_of_a_new_revision_are_safe(
    empty_database_url: str, add_revision: AddRevision
) -> None:
    """From nothing, all at once: one does the work, the others find nothing to do."""
    scripts = add_revision(up=_statements(EXPANSION), down=_statements(BACK))
    found = await asyncio.gather(*(migrate(empty_database_url, scripts=scripts) for _ in range(4)))

    assert found == [list_revisions(scripts)[-1].id] * 4
