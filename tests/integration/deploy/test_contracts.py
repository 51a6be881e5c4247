"""The layers of the contracts agree, and each way of drifting apart is named."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from rich.console import Console
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from deploy.contracts.catalog import Subject, read_facts
from deploy.contracts.check import check, find_drift
from deploy.contracts.compare import compare_tables
from deploy.contracts.generate import ROWS_FILE, write_rows_file
from deploy.contracts.parse import read_rows
from deploy.contracts.write import write_rows
from deploy.errors import OperatorError
from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    from pathlib import Path

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

ROWS_SOURCE = ROWS_FILE.read_text(encoding="utf-8")


async def _drift(url: str, *, rows_source: str = ROWS_SOURCE) -> set[str]:
    found, declared = await read_facts(url, declared=METADATA)
    return {str(each) for each in find_drift(found, declared, rows_source=rows_source)}


async def test_what_is_committed_agrees(database_url: str) -> None:
    """Tables, migrations, rows and contracts; and looking twice changes nothing."""
    assert await _drift(database_url) == set()
    assert await _drift(database_url) == set()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            "ALTER TABLE users ADD COLUMN nickname text",
            {
                "users.nickname: is in the database, not in tables.py",
                "users.nickname: is in the database, not in rows.py",
            },
        ),
        (
            "ALTER TABLE users DROP COLUMN image_url",
            {
                "users.image_url: is in tables.py, not in the database",
                "users.image_url: is in rows.py, not in the database",
            },
        ),
        (
            'ALTER TABLE events ALTER COLUMN "offset" TYPE numeric',
            {
                "events.offset: type is numeric in the database, bigint in tables.py",
                "events.offset: type is Decimal in the database, int in rows.py",
            },
        ),
        (
            "ALTER TABLE users ALTER COLUMN clerk_id DROP NOT NULL",
            {
                "users.clerk_id: nullability is NULL in the database, NOT NULL in tables.py",
                "users.clerk_id: type is str | None in the database, str in rows.py",
            },
        ),
        (
            "ALTER TABLE users ALTER COLUMN version SET DEFAULT 1",
            {"users.version: default is 1 in the database, 0 in tables.py"},
        ),
        (
            "COMMENT ON COLUMN users.email IS 'address'",
            {
                (
                    "users.email: comment is address in the database,"
                    f" {METADATA.tables['users'].c.email.comment} in tables.py"
                ),
                (
                    "users.email: comment is address in the database,"
                    f" {METADATA.tables['users'].c.email.comment} in rows.py"
                ),
            },
        ),
        (
            (
                "ALTER TABLE users DROP CONSTRAINT users_role_check,"
                " ADD CONSTRAINT users_role_check CHECK (role IN ('user', 'admin', 'owner'))"
            ),
            {
                (
                    "users.role: constraint users_role_check is CHECK ((role = ANY"
                    " (ARRAY['user'::text, 'admin'::text, 'owner'::text]))) in the database,"
                    " CHECK ((role = ANY (ARRAY['user'::text, 'admin'::text]))) in tables.py"
                ),
                (
                    "users.role: type is Literal['user', 'admin', 'owner'] in the database,"
                    " Literal['user', 'admin'] in rows.py"
                ),
            },
        ),
        (
            "DROP INDEX users_email_idx",
            {
                (
                    "users: index users_email_idx is missing in the database,"
                    " CREATE INDEX users_email_idx USING btree (email) in tables.py"
                ),
            },
        ),
        (
            "CREATE TABLE badges (id uuid PRIMARY KEY)",
            {
                "badges: is in the database, not in tables.py",
                "badges: is in the database, not in rows.py",
            },
        ),
        (
            "DROP TABLE events",
            {
                "events: is in tables.py, not in the database",
                "events: is in rows.py, not in the database",
            },
        ),
    ],
)
async def test_a_database_that_was_changed_is_named(
    database_url: str, database: Database, change: str, named: set[str]
) -> None:
    """By table, column and what differs, against both of its neighbours."""
    await database.execute(change)

    assert await _drift(database_url) == named


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            "    email: str | None",
            "    email: str",
            "users.email: type is str | None in the database, str in rows.py",
        ),
        ('    """avatar"""\n', "", "users.image_url: comment is avatar in the database, missing"),
        ('    "events": EventsRow,\n', "", "events: is in the database, not in rows.py"),
        ("do not edit", "edited", "rows.py: is not as `clerkwork contracts generate` wrote it"),
        (ROWS_SOURCE, "", "users: is in the database, not in rows.py"),
    ],
)
async def test_rows_that_were_edited_are_named(
    database_url: str, old: str, new: str, named: str
) -> None:
    """Also where only the layout of the file was touched."""
    found = await _drift(database_url, rows_source=ROWS_SOURCE.replace(old, new))

    assert any(each.startswith(named) for each in found), found


async def test_generating_writes_the_committed_file(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the database in DATABASE_URL."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    console = Console(file=io.StringIO())

    await asyncio.to_thread(write_rows_file, console, file=tmp_path / "rows.py")

    assert (tmp_path / "rows.py").read_text(encoding="utf-8") == ROWS_SOURCE


async def test_nothing_is_generated_from_another_database(
    database_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not migrated would leave the services without rows."""
    await database.execute("DROP TABLE events")
    monkeypatch.setenv("DATABASE_URL", database_url)

    with pytest.raises(OperatorError, match=r"events: is in tables\.py, not in"):
        await asyncio.to_thread(write_rows_file, Console(), file=tmp_path / "rows.py")

    assert not (tmp_path / "rows.py").exists()


async def test_a_check_that_finds_something_fails(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a line for each, and exit code 1."""
    await database.execute("COMMENT ON TABLE users IS NULL")
    monkeypatch.setenv("DATABASE_URL", database_url)
    said = io.StringIO()

    assert await asyncio.to_thread(check, Console(file=said, soft_wrap=True)) == 1
    assert said.getvalue().splitlines()[0].startswith("users: comment is missing in the database")


def test_without_a_database_the_migrations_are_checked() -> None:
    """On a PostgreSQL that is started for it, and gone afterwards."""
    said = io.StringIO()

    assert check(Console(file=said)) == 0
    assert said.getvalue() == "Tables, rows, contracts, topics and routes agree.\n"


def test_a_server_that_is_away_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a traceback."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/d")

    with pytest.raises(OperatorError, match="PostgreSQL cannot be read"):
        check(Console())


async def test_tables_to_come_are_compared_as_well(database_url: str) -> None:
    """Keys of others, identities, generated columns, partial indexes: declared, made, the same."""
    declared = sa.MetaData(naming_convention=METADATA.naming_convention)
    for each in METADATA.tables.values():
        each.to_metadata(declared)
    sa.Table(
        "badges",
        declared,
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("user_id", UUID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("title", sa.String(80), nullable=False, server_default="none"),
        sa.Column("size", sa.Integer, sa.Computed("length(title)", persisted=True)),
        sa.Column("tags", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.func.now()),
        sa.UniqueConstraint("user_id", "title"),
        sa.CheckConstraint("title IN ('gold', 'silver')", name="title"),
        sa.Index("badges_at_idx", sa.text("at DESC"), postgresql_where=sa.text("size > 3")),
        comment="What users have earned.",
    )
    engine = create_async_engine(
        sa.make_url(database_url).set(drivername="postgresql+asyncpg"), poolclass=NullPool
    )
    async with engine.begin() as connection:
        await connection.run_sync(declared.create_all)

    found, expected = await read_facts(database_url, declared=declared)

    assert list(compare_tables(found, expected)) == []
    rows = read_rows(write_rows(found))
    assert rows[Subject("badges", "title", "type")] == "Literal['gold', 'silver']"
    assert rows[Subject("badges", "tags", "type")] == "list[str]"
    assert found[Subject("badges", "user_id", "constraint badges_user_id_fkey")].endswith("CASCADE")
