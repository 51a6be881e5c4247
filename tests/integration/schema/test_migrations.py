"""The database that migrations make, against the tables that are declared."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.migrate import migrate
from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy import Connection

    Database = asyncpg.Connection[asyncpg.Record]


def _declared(_object: object, name: str | None, kind: str, *_: object) -> bool:
    return kind != "table" or name in METADATA.tables


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_object": _declared,
            "compare_type": True,
            "compare_server_default": True,
        },
    )
    return list(compare_metadata(context, METADATA))


async def test_migrations_arrive_at_the_declared_tables(database_url: str) -> None:
    """The revisions, one after the other, end at the tables as SQLAlchemy declares them."""
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        found = await connection.run_sync(_differences)
    await engine.dispose()

    assert found == []


async def test_check_constraints_are_the_declared_ones(database: Database) -> None:
    """Alembic compares no CHECK: each declared one is in the database, by name."""
    rows = await database.fetch("SELECT conname FROM pg_constraint WHERE contype = 'c'")
    declared = {
        str(constraint.name)
        for table in METADATA.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    }

    assert {row["conname"] for row in rows} >= declared


async def test_everything_says_what_it_is(database: Database) -> None:
    """Every table and column carries a comment."""
    rows = await database.fetch(
        """
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relname = ANY($1::text[]) AND a.attnum > 0
            AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)
    """,
        list(METADATA.tables),
    )

    assert rows == []


async def test_migrating_twice_at_once_changes_nothing(database_url: str) -> None:
    """Concurrent and repeated migrations wait for each other and end at the same revision."""
    revisions = await asyncio.gather(*(migrate(database_url) for _ in range(3)))

    assert len(set(revisions)) == 1


async def test_the_ledger_has_a_place_for_every_time(database: Database) -> None:
    """This month has a partition of its own; absurd times land in the default one."""
    await database.execute("""
        INSERT INTO events (event_id, occurred_at, type, received_at, applied_at, outcome,
            topic, partition, "offset")
        SELECT id, at, 'user.created', now(), now(), 'applied', 't', 0, 0
        FROM (VALUES ('now', now()), ('absurd', '9999-12-31'::timestamptz)) AS given (id, at)
    """)
    rows = await database.fetch("SELECT event_id, tableoid::regclass::text AS part FROM events")
    parts = {row["event_id"]: row["part"] for row in rows}

    assert parts["absurd"] == "events_default"
    assert parts["now"].startswith("events_2")
