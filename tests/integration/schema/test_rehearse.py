"""The rehearsal: a copy, the pending revisions, a report, and nothing left behind."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from rich.console import Console

from deploy.errors import OperatorError
from deploy.migrate import migrate
from deploy.rehearse.measure import measure
from deploy.rehearse.run import rehearse
from deploy.rehearse.scratch import PREFIX, scratch_database
from deploy.rehearse.show import print_rehearsal
from deploy.revisions import list_revisions
from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from deploy.rehearse.run import Rehearsal

    AddRevision = Callable[..., Path]
    Database = asyncpg.Connection[asyncpg.Record]

HEAD = list_revisions()[-1].id
ROOT = Path(__file__).parents[3]
ROWS = Path(__file__).parent / "rows"


@pytest.fixture(autouse=True)
async def _nothing_left_behind(database: Database) -> AsyncIterator[None]:
    """Whatever a test does, no scratch database survives it."""
    yield
    left = await database.fetch("SELECT datname FROM pg_database WHERE datname ^@ $1", PREFIX)
    assert [row["datname"] for row in left] == []


@pytest.fixture
async def filled(database: Database) -> Database:
    """The test's database, with a few rows."""
    await database.execute((ROWS / f"{HEAD}.sql").read_text())
    return database


async def _fingerprint(database: Database) -> list[Any]:
    """Return what would differ if somebody wrote: rows by version, relations, revision."""
    return [
        await database.fetch(query)
        for query in (
            "SELECT xmin, ctid, * FROM users ORDER BY id",
            "SELECT tableoid, xmin, ctid, * FROM events ORDER BY event_id",
            "SELECT oid, relname, relfilenode FROM pg_class WHERE oid > 16000 ORDER BY oid",
            "SELECT xmin, * FROM alembic_version",
        )
    ]


async def _count(database: Database) -> dict[str, int]:
    """Return how many rows each table has."""
    tables = METADATA.tables
    return {name: await database.fetchval(f"SELECT count(*) FROM {name}") for name in tables}  # noqa: S608 - our names


def _tell(rehearsal: Rehearsal) -> tuple[int, str]:
    """Return the exit code and what a pipe would get."""
    said = io.StringIO()
    console = Console(file=said, soft_wrap=True, highlight=False)
    return print_rehearsal(rehearsal, console), said.getvalue()


async def test_a_revision_is_tried_on_a_copy(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """The report has its duration, its locks and its rows; the real database is as it was."""
    scripts = add_revision(up="ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en'")
    before = await _fingerprint(filled)

    rehearsal = await rehearse(database_url, scripts=scripts)

    (step,) = rehearsal.steps
    assert rehearsal.at == HEAD
    assert rehearsal.drift == ()
    assert rehearsal.failure is None
    assert step.seconds > 0
    assert step.locks == {"users": "AccessExclusiveLock"}
    assert step.before == step.after == await _count(filled)
    assert await _fingerprint(filled) == before


async def test_the_report_can_be_read_in_a_pipe(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """Plain lines that say whom the worst lock keeps waiting."""
    scripts = add_revision(up="ALTER TABLE users ADD COLUMN locale text")
    code, said = _tell(await rehearse(database_url, scripts=scripts))
    users = (await _count(filled))["users"]

    assert code == 0
    assert "locks users: AccessExclusiveLock (EVERYBODY WAITS, readers too)\n" in said
    assert f"rows of users: {users} before, {users} after\n" in said
    assert "A throwaway (expand)\n" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("up", "locks"),
    [
        ("CREATE TABLE notes (id bigint PRIMARY KEY)", {}),
        ("CREATE INDEX users_role_idx ON users (role)", {"users": "ShareLock"}),
        ("CREATE INDEX events_type_idx ON events (type)", {"events": "ShareLock"}),
        ("UPDATE users SET first_name = 'x'", {"users": "RowExclusiveLock"}),
        ("ALTER TABLE users SET (fillfactor = 90)", {"users": "ShareUpdateExclusiveLock"}),
        (
            "CREATE TABLE notes (user_id uuid REFERENCES users (id))",
            {"users": "ShareRowExclusiveLock"},
        ),
        ("DROP TABLE events", {"events": "AccessExclusiveLock"}),
        ("SELECT count(*) FROM users", {}),
    ],
)
async def test_the_strongest_lock_on_each_table_is_told(
    database_url: str, add_revision: AddRevision, up: str, locks: dict[str, str]
) -> None:
    """Partitions count as their table; new tables are nobody else's, and reading is no matter."""
    rehearsal = await rehearse(database_url, scripts=add_revision(up=up))

    assert [step.locks for step in rehearsal.steps] == [locks]
    assert _tell(rehearsal)[0] == 0


async def test_each_revision_answers_for_its_own(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """Several pending ones share a transaction; a lock is told where it was taken."""
    add_revision(up="CREATE INDEX users_role_idx ON users (role)")
    add_revision(up="DELETE FROM events")
    scripts = add_revision(up="CREATE TABLE notes (id bigint)")

    rehearsal = await rehearse(database_url, scripts=scripts)
    events = (await _count(filled))["events"]

    assert [step.locks for step in rehearsal.steps] == [
        {"users": "ShareLock"},
        {"events": "RowExclusiveLock"},
        {},
    ]
    assert [step.after["events"] for step in rehearsal.steps] == [events, 0, 0]
    assert "rows of notes: no table before, 0 after" in _tell(rehearsal)[1]


async def test_a_database_that_has_nothing_yet_is_rehearsed_too(empty_database_url: str) -> None:
    """Every revision is pending."""
    rehearsal = await rehearse(empty_database_url)

    assert [step.revision.id for step in rehearsal.steps] == [each.id for each in list_revisions()]
    assert _tell(rehearsal)[0] == 0


async def test_nothing_pending_is_said(database_url: str) -> None:
    """And nothing is copied."""
    rehearsal = await rehearse(database_url)

    assert _tell(rehearsal) == (
        0,
        f"Nothing to rehearse: the database is at revision {HEAD}.\n",
    )


async def test_a_revision_that_fails_is_told_with_its_sqlstate(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """And its statement; the copy shows what the rows would have made of it. Exit code 1."""
    before = await _fingerprint(filled)
    scripts = add_revision(up="CREATE UNIQUE INDEX users_email_key ON users (email)")

    code, said = _tell(await rehearse(database_url, scripts=scripts))

    assert code == 1
    assert "FAILED with SQLSTATE 23505: could not create unique index" in said
    assert "CREATE UNIQUE INDEX users_email_key" in said
    assert "ada@example.com" not in said
    assert await _fingerprint(filled) == before


async def test_what_fails_at_the_commit_has_failed(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """A constraint may be looked at as late as that; the reader is told of the sample."""
    up = """DO $do$ BEGIN
        CREATE TABLE notes (user_id uuid REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED);
        INSERT INTO notes SELECT gen_random_uuid();
    END $do$"""
    code, said = _tell(await rehearse(database_url, scripts=add_revision(up=up)))

    assert filled
    assert code == 1
    assert "SQLSTATE 23503" in said
    assert "try a larger one" in said


async def test_the_sample_is_bounded(
    database: Database, database_url: str, add_revision: AddRevision
) -> None:
    """So many rows of each table, from all over it; none when none are wanted."""
    await database.execute("""
        INSERT INTO users (id, clerk_id)
        SELECT gen_random_uuid(), 'user_' || n FROM generate_series(1, 50000) AS n
    """)
    await database.execute("ANALYZE users")
    scripts = add_revision(up="ALTER TABLE users ADD COLUMN locale text")

    found = {
        rows: next(
            each
            for each in (await rehearse(database_url, rows=rows, scripts=scripts)).samples
            if each.table == "users"
        )
        for rows in (0, 1_500, 5_000, 1_000_000)
    }

    assert {each.of_about for each in found.values()} == {50_000}
    assert [found[rows].rows for rows in (0, 5_000, 1_000_000)] == [0, 5_000, 50_000]
    assert 500 < found[1_500].rows <= 1_500


async def test_references_hold_in_the_sample(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """A row whose row was left out is left out too, in a circle as well."""
    scripts = add_revision(
        up="""DO $do$ BEGIN
            CREATE TABLE notes (
                id bigint PRIMARY KEY,
                user_id uuid NOT NULL REFERENCES users (id),
                answers bigint REFERENCES notes (id)
            );
        END $do$"""
    )
    await migrate(database_url, scripts=scripts)
    await filled.execute("""
        INSERT INTO notes
        SELECT n, ('00000000-0000-5000-8000-00000000000' || 1 + n % 4)::uuid, nullif(n - 1, 0)
        FROM generate_series(1, 100) AS n
    """)
    add_revision(
        up="""DO $do$ BEGIN
            ASSERT 2 = (SELECT count(*) FROM pg_constraint
                WHERE contype = 'f' AND convalidated AND conrelid = 'notes'::regclass);
        END $do$"""
    )

    rehearsal = await rehearse(database_url, rows=3, scripts=scripts)

    rows = {each.table: each.rows for each in rehearsal.samples}
    assert (rehearsal.failure, rehearsal.drift) == (None, ())
    assert rows["users"] == 3
    assert rows["notes"] <= 3  # most of them lack the note that they answer


async def test_the_copy_is_as_if_it_had_grown(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """Rows that a revision brings are there once, no trigger adds any, and numbers go on."""
    scripts = add_revision(
        up="""DO $do$ BEGIN
            CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text);
            INSERT INTO notes (text) VALUES ('the first');
            CREATE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN INSERT INTO notes (text) VALUES (NEW.clerk_id); RETURN NEW; END';
            CREATE TRIGGER users_echo AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION echo();
        END $do$"""
    )
    await migrate(database_url, scripts=scripts)
    await filled.execute("INSERT INTO users (id, clerk_id) VALUES (gen_random_uuid(), 'another')")
    add_revision(
        up="INSERT INTO users (id, clerk_id) VALUES (gen_random_uuid(), 'one more')",
    )

    rehearsal = await rehearse(database_url, scripts=scripts)

    assert (rehearsal.failure, rehearsal.drift) == (None, ())
    assert (rehearsal.steps[0].before["notes"], rehearsal.steps[0].after["notes"]) == (2, 3)


async def test_what_somebody_changed_by_hand_is_told(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """As drift; what both have is copied and rehearsed all the same."""
    await filled.execute("""
        ALTER TABLE users ADD COLUMN shoe_size integer;
        DROP INDEX users_email_idx;
        CREATE TABLE elsewhere (id bigint)
    """)
    scripts = add_revision(up="ALTER TABLE users ADD COLUMN locale text")
    rehearsal = await rehearse(database_url, scripts=scripts)

    index = "CREATE INDEX users_email_idx ON public.users USING btree (email)"
    assert rehearsal.drift == (
        "only in the database: table elsewhere",
        "only in the database: users: column shoe_size integer",
        f"only in the revisions: users: {index}",
    )
    assert rehearsal.steps[0].before["users"] == (await _count(filled))["users"]
    assert _tell(rehearsal)[0] == 0


async def test_a_role_that_may_not_create_databases_is_told(
    filled: Database, database_url: str, add_revision: AddRevision
) -> None:
    """With the statement that allows it; besides that, it needs no more than to read."""
    await filled.execute("""
        DROP ROLE IF EXISTS "modest role";
        CREATE ROLE "modest role" LOGIN PASSWORD 'modest';
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO "modest role"
    """)
    scripts = add_revision(up="ALTER TABLE users ADD COLUMN locale text")
    url = f"postgresql://modest%20role:modest@{database_url.rpartition('@')[2]}"
    try:
        with pytest.raises(OperatorError, match="CREATEDB") as refused:
            await rehearse(url, scripts=scripts)
        await filled.execute(str(refused.value).split("`")[1])
        rehearsal = await rehearse(url, scripts=scripts)
    finally:
        await filled.execute('DROP OWNED BY "modest role"; DROP ROLE "modest role"')

    assert rehearsal.failure is None
    assert rehearsal.steps[0].after["users"] == (await _count(filled))["users"]


async def test_a_database_ahead_of_us_is_refused(
    database_url: str, add_revision: AddRevision
) -> None:
    """We do not know its revision, so we cannot copy its structure."""
    await migrate(database_url, scripts=add_revision(up="SELECT 1"))

    with pytest.raises(OperatorError, match="does not know"):
        await rehearse(database_url)


async def test_a_server_that_is_not_there_is_told() -> None:
    """In words."""
    with pytest.raises(OperatorError, match="does not answer"):
        await rehearse("postgresql://u:p@127.0.0.1:1/d")


@pytest.mark.parametrize("ended_after_s", [0.05, 0.2, 0.5, 1.0])
async def test_the_copy_goes_also_when_it_is_interrupted(
    filled: Database, database_url: str, add_revision: AddRevision, ended_after_s: float
) -> None:
    """Wherever it was: Ctrl-C cancels the task."""
    scripts = add_revision(up="SELECT pg_sleep(60)")
    running = asyncio.create_task(rehearse(database_url, scripts=scripts))
    await asyncio.sleep(ended_after_s)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert filled


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_copy_goes_also_when_the_process_is_ended(
    filled: Database, database_url: str, add_revision: AddRevision, number: signal.Signals
) -> None:
    """By whatever signal can be handled."""
    scripts = add_revision(up="SELECT pg_sleep(60)")
    code = f"""if True:
        from pathlib import Path
        from deploy.rehearse.run import rehearse_and_tell
        from deploy.terminal import open_console
        rehearse_and_tell({database_url!r}, rows=9, console=open_console(),
            scripts=Path({str(scripts)!r}))
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'"
    while not await filled.fetchval(sleeping):
        assert process.returncode is None
        await asyncio.sleep(0.05)
    process.send_signal(number)
    _, said = await asyncio.wait_for(process.communicate(), 20)

    assert b"KeyboardInterrupt" in said.splitlines()[-1]


async def test_what_a_killed_rehearsal_left_is_told(database: Database, database_url: str) -> None:
    """It may hold personal data."""
    await database.execute(f"CREATE DATABASE {PREFIX}dead")
    try:
        _, said = _tell(await rehearse(database_url))
    finally:
        await database.execute(f"DROP DATABASE {PREFIX}dead")

    assert f'DROP DATABASE "{PREFIX}dead";' in said


async def test_a_rehearsal_waits_for_no_lock_for_long(
    database: Database, database_url: str, add_revision: AddRevision, monkeypatch: Any
) -> None:
    """Somebody who changes a table now is in the way, and is not kept waiting by us."""
    monkeypatch.setattr("deploy.rehearse.scratch.LOCK_TIMEOUT", "50ms")
    scripts = add_revision(up="SELECT 1")
    async with database.transaction():
        await database.execute("LOCK TABLE users")
        with pytest.raises(OperatorError, match="lock timeout"):
            await rehearse(database_url, scripts=scripts)


async def test_a_terminal_gets_a_table(
    filled: Database,
    database_url: str,
    add_revision: AddRevision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the worst lock in red."""
    monkeypatch.setattr("deploy.rehearse.show.is_live", lambda: True)
    rehearsal = await rehearse(
        database_url, scripts=add_revision(up="ALTER TABLE users ADD COLUMN locale text")
    )
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=120, highlight=False)

    assert filled
    assert print_rehearsal(replace(rehearsal, drift=("[odd]",)), console) == 0
    assert "\x1b[1;31mlocks users: AccessExclusiveLock" in said.getvalue()
    assert "[odd]" in said.getvalue()


async def test_the_scratch_database_is_like_the_real_one(
    database: Database, database_url: str
) -> None:
    """The same encoding and order, and the same revisions take it to the same place."""
    query = """
        SELECT encoding, datlocprovider, datcollate, datctype, datlocale FROM pg_database
        WHERE datname = current_database()
    """
    async with scratch_database(database_url) as url:
        connection = await asyncpg.connect(url)
        found = await connection.fetchrow(query)
        await connection.close()
        steps, failure = await measure(url, list_revisions())

    assert found == await database.fetchrow(query)
    assert (len(steps), failure) == (len(list_revisions()), None)
