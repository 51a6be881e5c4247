"""Rights in PostgreSQL: what is declared, what statements need, and what the database has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asyncpg
import pytest

from deploy.migrate import migrate
from deploy.prepare import run_migrate
from deploy.rights.grant import grant_rights, list_changes
from deploy.rights.tables import REVISIONS, ROLES, TABLES, Right, declared_rights, role_of
from deploy.terminal import open_console
from schema.postgres.tables import METADATA
from tests.integration.deploy.rights.needs import (
    OWNERS,
    PARTS,
    RUNS,
    Use,
    find_files,
    open_reader,
    statements_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Database = asyncpg.Connection[asyncpg.Record]

PACKAGES = ("ingest", "workers", "api", "schema", "deploy")
PLANNED = re.compile(r"(--.*\n)*\s*(SELECT|INSERT|UPDATE|DELETE|WITH|VALUES)\b", re.IGNORECASE)
OURS = [*METADATA.tables, REVISIONS, "events_default"]
MATRIX = """
    SELECT role, relname, privilege, has_table_privilege(role, relname, privilege) AS whole,
        CASE WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') THEN ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = relname::regclass AND attnum > 0 AND NOT attisdropped
                AND has_column_privilege(role, attrelid, attnum, privilege)
        ) ELSE '{}' END AS columns
    FROM unnest($1::text[]) AS role
    CROSS JOIN unnest($2::text[]) AS relname
    CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,MAINTAIN}'::text[])
        AS privilege
"""


def declared(process: str) -> set[Use]:
    """Return what a process may do."""
    rights = declared_rights()
    return {Use(*each[1:]) for each in rights if each.role == role_of(process)}


async def needed(database: Database, process: str) -> set[Use]:
    """Return what the statements of a process use; no column where they use none."""
    reader = await open_reader(database)
    uses: set[Use] = set()
    for name, statement in statements_of(process):
        if PLANNED.match(statement):
            try:
                uses |= await reader.find_uses(statement)
            except asyncpg.PostgresError as error:
                raise AssertionError(f"{name}: {error}") from error
    return uses


@pytest.mark.parametrize("process", TABLES)
async def test_a_process_may_do_what_its_statements_do_and_no_more(
    database: Database, process: str
) -> None:
    """As PostgreSQL sees them: no privilege is missing, none is idle, named columns are exact."""
    uses, rights = await needed(database, process), declared(process)
    whole = {(use.table, use.privilege) for use in rights if use.column is None}
    narrow = {(use.table, use.privilege) for use in rights if use.column is not None}
    used = {(use.table, use.privilege) for use in uses}

    assert used == whole | narrow
    assert not whole & narrow
    exact = {use for use in uses if use.column and (use.table, use.privilege) in narrow}
    assert exact == {use for use in rights if use.column is not None}


def test_every_statement_is_somebodys() -> None:
    """A new file of SQL is given to who runs it, or to the owner of the tables."""
    known = find_files([*OWNERS, *PARTS, *(each for files in RUNS.values() for each in files)])

    assert find_files([f"{package}/**/*.sql" for package in PACKAGES]) == known


@pytest.fixture
async def migrated(database: Database, database_url: str) -> Database:
    """A database that was migrated under its own name: a copy of one lacks what that has."""
    await migrate(database_url)
    return database


async def test_the_database_has_the_rights_that_are_declared(migrated: Database) -> None:
    """Each role, table and privilege there is; and everybody else has none."""
    database = migrated
    found: set[Right] = set()
    for role, table, privilege, whole, columns in await database.fetch(MATRIX, ROLES, OURS):
        if whole:
            found.add(Right(role, table, privilege, None))
        else:
            found |= {Right(role, table, privilege, column) for column in columns}
    anybody = await database.fetch(MATRIX, ["pg_monitor"], OURS)

    assert found == set(declared_rights())
    assert [row for row in anybody if row["whole"] or row["columns"]] == []
    assert await list_changes(database) == []


async def test_what_somebody_has_changed_is_put_right(
    migrated: Database, database_url: str
) -> None:
    """Too much is taken, too little is given; what an operator's own role has is left alone."""
    database = migrated
    await database.execute("""
        GRANT SELECT ON users TO PUBLIC;
        GRANT INSERT ON users TO clerkwork_api WITH GRANT OPTION;
        GRANT SELECT ON outbox TO clerkwork_relay;
        GRANT UPDATE (state) ON outbox TO clerkwork_desk;
        GRANT DELETE ON events_default TO clerkwork_api;
        REVOKE ALL ON posts FROM clerkwork_worker;
        GRANT SELECT ON users TO pg_monitor;
    """)
    drift = await list_changes(database)
    await migrate(database_url)

    assert "REVOKE SELECT ON users FROM PUBLIC" in drift
    assert "GRANT DELETE, INSERT, SELECT, UPDATE ON posts TO clerkwork_worker" in drift
    assert len(drift) == 6
    assert await list_changes(database) == []
    assert await database.fetchval("SELECT has_table_privilege('pg_monitor', 'users', 'SELECT')")


@pytest.fixture
async def modest(database: Database, database_url: str) -> AsyncIterator[str]:
    """The URL of an owner who may neither make roles nor give rights on the database."""
    await database.execute("""
        CREATE ROLE modest_owner LOGIN PASSWORD 'modest';
        GRANT ALL ON SCHEMA public TO modest_owner;
        DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT oid::regclass FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            LOOP EXECUTE format('ALTER TABLE %s OWNER TO modest_owner', name); END LOOP;
        END $$;
    """)
    yield f"postgresql://modest_owner:modest@{database_url.rpartition('@')[2]}"
    await database.execute("DROP OWNED BY modest_owner; DROP ROLE modest_owner")


async def test_who_may_not_make_roles_is_told_how_somebody_can(
    database: Database, modest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is done all the same; the statement that is told is the one that is missing."""
    monkeypatch.setattr("deploy.rights.grant.ROLES", (*ROLES, "clerkwork_nobody"))
    await database.execute("REVOKE ALL ON users FROM clerkwork_api")
    connection = await asyncpg.connect(modest)
    try:
        refused = await grant_rights(connection)
    finally:
        await connection.close()

    assert refused == ["CREATE ROLE clerkwork_nobody NOLOGIN"]
    assert await database.fetchval("SELECT has_table_privilege('clerkwork_api', 'users', 'SELECT')")


def test_a_migration_that_is_refused_rights_goes_on_and_says_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words that can be pasted; the exit code is that of the tables."""

    async def refuse(_: Database) -> list[str]:
        return ["CREATE ROLE clerkwork_worker NOLOGIN", "GRANT SELECT ON users TO clerkwork_api"]

    monkeypatch.setattr("deploy.migrate.grant_rights", refuse)
    monkeypatch.setenv("DATABASE_URL", database_url)

    assert run_migrate(open_console()) == 0
    said = capsys.readouterr().err
    assert "\n    CREATE ROLE clerkwork_worker NOLOGIN;\n    GRANT SELECT ON users TO" in said
