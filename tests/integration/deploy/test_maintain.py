"""Maintenance, of the ledger above all, on a real PostgreSQL with workers at work."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from pydantic import SecretStr

from deploy import database as operators
from deploy import partitions
from deploy.errors import OperatorError
from deploy.maintain.run import MaintainSettings, maintain
from schema.ops.settings import DatabaseSettings
from schema.postgres.pools import build_pool
from tests.factories import CREATED_MS, make_record, new_user_id, user_event
from tests.rows import BEGINNING, insert_held_back, insert_session, insert_user
from tests.waiting import until
from workers.apply import apply
from workers.decode import Event, decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.maintain.ledger import Ledger

    Database = asyncpg.Connection[asyncpg.Record]

ROOT = Path(__file__).parents[3]
UNDO = """
BEGIN;
LOCK TABLE events;
ALTER TABLE events DETACH PARTITION the_month;
INSERT INTO events SELECT * FROM the_month;
DROP TABLE the_month;
COMMIT;
"""
EXPLAIN = "EXPLAIN (FORMAT JSON) SELECT * FROM events WHERE "
MONTH_MS = 31 * 24 * 3600 * 1000
YEAR = datetime.now(UTC).year - 2
"""No month of it has a partition yet."""
MONTHS = [f"events_{YEAR}_{month:02}" for month in range(1, 13)]
YEAR_MS = int(datetime(YEAR, 1, 1, tzinfo=UTC).timestamp() * 1000) - CREATED_MS


def _settings(url: str, *, ahead: int = 3, retention: int | None = None) -> MaintainSettings:
    return MaintainSettings(
        database_url=SecretStr(url),
        clerkwork_ledger_months_ahead=ahead,
        clerkwork_ledger_retention_months=retention,
    )


async def _maintain(
    url: str, *, now: datetime | None = None, ahead: int = 3, retention: int | None = None
) -> Ledger:
    done = await maintain(_settings(url, ahead=ahead, retention=retention), now=now)
    assert done
    return done.ledger


async def _insert(
    database: Database, events: Iterable[tuple[str, datetime]], *, received_at: datetime
) -> None:
    await database.executemany(
        """
        INSERT INTO events (event_id, occurred_at, type, clerk_user_id, received_at, applied_at,
            outcome, topic, partition, "offset")
        VALUES ($1, $2, 'user.created', 'user_1', $3, now(), 'applied', 't', 0, 0)
        """,
        [(event_id, at, received_at) for event_id, at in events],
    )


async def _fill_year(database: Database) -> None:
    """Put an event at the beginning and the end of each month of the year."""
    first = datetime(YEAR, 1, 1, tzinfo=UTC)
    begins = [partitions.month_of(first, plus=distance) for distance in range(13)]
    last_moment = timedelta(microseconds=1)
    moments = [
        *(("first", begin) for begin in begins[:-1]),
        *(("last", end - last_moment) for end in begins[1:]),
    ]
    await _insert(database, moments, received_at=first)


async def _partitions(database: Database) -> list[str]:
    rows = await database.fetch("""
        SELECT inhrelid::regclass::text AS name FROM pg_inherits
        WHERE inhparent = 'events'::regclass ORDER BY name
    """)
    return [row["name"] for row in rows]


async def _waits_for_a_lock(database: Database) -> bool:
    """Tell whether anybody is in the way of somebody."""
    return await database.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )


async def _places(database: Database) -> list[tuple[str, str, int]]:
    rows = await database.fetch("""
        SELECT tableoid::regclass::text AS part, event_id, count(*) FROM events
        GROUP BY 1, 2 ORDER BY 1, 2
    """)
    return [tuple(row) for row in rows]


async def test_partitions_are_there_before_their_months(
    database: Database, database_url: str
) -> None:
    """As many months ahead as were asked for, each like those that the migration made."""
    done = await _maintain(database_url, ahead=14)
    now = datetime.now(UTC)
    expected = [f"events_{partitions.month_of(now, plus=n):%Y_%m}" for n in range(-1, 15)]
    shapes = await database.fetch("""
        SELECT count(*), array_agg(conname ORDER BY conname) AS constraints,
            (SELECT count(*) FROM pg_index AS i JOIN pg_inherits AS h ON h.inhrelid = indexrelid
                WHERE i.indrelid = c.conrelid AND indisvalid) AS indexes
        FROM (SELECT conrelid, replace(conname, conrelid::regclass::text, 'events') AS conname
            FROM pg_constraint JOIN pg_inherits ON inhrelid = conrelid
            WHERE inhparent = 'events'::regclass) AS c
        GROUP BY conrelid
    """)

    assert [month.name for month in done.months] == expected[5:]
    assert await _partitions(database) == [*expected, "events_default"]
    assert len(shapes) == len(expected) + 1
    assert len({str(shape) for shape in shapes}) == 1


async def test_repeating_it_does_nothing(database: Database, database_url: str) -> None:
    """The second run finds nothing to do."""
    await _fill_year(database)
    await _maintain(database_url, ahead=6, retention=26)
    places, names = await _places(database), await _partitions(database)
    again = await _maintain(database_url, ahead=6, retention=26)

    assert (again.months, again.expired, again.expired_events) == ((), (), 0)
    assert (await _places(database), await _partitions(database)) == (places, names)


async def test_several_at_once_do_it_once(database: Database, database_url: str) -> None:
    """Those that come while one is at it leave the work to it."""
    await _fill_year(database)
    done = await asyncio.gather(*(maintain(_settings(database_url)) for _ in range(4)))
    created = [month.name for each in done if each for month in each.ledger.months]

    assert created == MONTHS
    assert set(MONTHS) <= set(await _partitions(database))


async def test_a_dry_run_only_tells(database: Database, database_url: str) -> None:
    """It tells what the run then does, and changes nothing."""
    await _fill_year(database)
    absurd = [("absurd", datetime(1970, 1, 1, tzinfo=UTC))]
    await _insert(database, absurd, received_at=datetime(1971, 1, 1, tzinfo=UTC))
    places, names = await _places(database), await _partitions(database)
    settings = _settings(database_url, ahead=5, retention=26)
    told = await maintain(settings, dry_run=True)

    assert told
    assert told.ledger.months
    assert (await _places(database), await _partitions(database)) == (places, names)
    assert await database.fetchval("SELECT count(*) FROM events") == 25
    assert told == await maintain(settings)


async def test_events_move_to_their_months(database: Database, database_url: str) -> None:
    """Events that were there before the partition are in it afterwards, each once."""
    await _fill_year(database)
    done = await _maintain(database_url)

    assert {month.name: month.events for month in done.months} == dict.fromkeys(MONTHS, 2)
    assert await _places(database) == [
        (name, event_id, 1) for name in MONTHS for event_id in ("first", "last")
    ]
    assert done.rest.events == 0


async def test_absurd_times_stay_in_the_default_partition(
    database: Database, database_url: str
) -> None:
    """The epoch and the end of the calendar get no partition, and are reported."""
    times = [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
    await _insert(database, [("absurd", at) for at in times], received_at=datetime.now(UTC))
    before = await _partitions(database)
    done = await _maintain(database_url, retention=1)

    assert await _partitions(database) == before
    assert await _places(database) == [("events_default", "absurd", 2)]
    assert (done.rest.events, done.rest.earliest, done.rest.latest) == (
        2,
        "1970-01-01",
        "9999-12-31",
    )


async def test_what_names_no_time_is_kept_from_its_arrival(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of 1970 is deleted, in batches, when it came longer ago than events are kept."""
    monkeypatch.setattr(partitions, "BATCH_SIZE", 3)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    now = datetime.now(UTC)
    old = [(f"old_{number}", epoch) for number in range(10)]
    await _insert(database, old, received_at=now - timedelta(days=100))
    await _insert(database, [("new", epoch)], received_at=now)
    done = await _maintain(database_url, retention=2)

    assert done.expired_events == 10
    assert await _places(database) == [("events_default", "new", 1)]


async def test_exactly_the_months_wholly_older_are_dropped(
    database: Database, database_url: str
) -> None:
    """For any moment and retention, and most of all around the turns of months."""
    await _fill_year(database)
    await _maintain(database_url)
    step = timedelta(microseconds=1)
    turns = [datetime(YEAR, month, 1, tzinfo=UTC) for month in range(1, 13)]
    moments = [turn + shift for turn in turns for shift in (-step, 0 * step, step, 500 * step)]
    moments += [turn + timedelta(days=27, hours=5) for turn in turns]
    for now, retention in itertools.product(moments, (1, 2, 5, 11)):
        told = await maintain(_settings(database_url, retention=retention), now=now, dry_run=True)
        expected = await database.fetchval(
            """
            SELECT array_agg(format('events_%s', to_char(begins, 'YYYY_MM')) ORDER BY begins)
            FROM generate_series($1::timestamptz, $1 + interval '11 months', '1 month') AS begins
            WHERE begins + interval '1 month' <= $2::timestamptz - make_interval(months => $3)
            """,
            turns[0],
            now,
            retention,
        )

        assert told
        assert [each.name for each in told.ledger.expired] == (expected or []), (now, retention)


async def test_retention_drops_as_time_goes_by(database: Database, database_url: str) -> None:
    """Month after month the oldest goes, and never anything else."""
    await _fill_year(database)
    await _maintain(database_url)
    for month in range(3, 13):
        now = datetime(YEAR, month, 1, tzinfo=UTC)
        before = await _maintain(database_url, now=now - timedelta(seconds=1), retention=2)
        done = await _maintain(database_url, now=now, retention=2)
        kept = {part for part, _, _ in await _places(database)}

        assert before.expired == ()
        assert [each.name for each in done.expired] == MONTHS[month - 4 : month - 3]
        assert kept == set(MONTHS[max(month - 3, 0) :])


def _worker_events(count: int, *, first: int, month: int) -> list[Event]:
    return [
        decode(
            make_record(
                user_event(new_user_id(), at=YEAR_MS + month * MONTH_MS + n, kind="user.created"),
                event_id=f"msg_{month}_{n}",
            )
        )
        for n in range(first, first + count)
    ]


async def test_workers_go_on_meanwhile(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While months are created, filled and dropped, workers meet no error and lose no event."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    done = asyncio.Event()
    outcomes: Counter[str] = Counter()
    seen: list[int] = []

    async def work(pool: asyncpg.Pool[asyncpg.Record], month: int) -> None:
        for first in itertools.count(step=10):
            events = _worker_events(10, first=first, month=month)
            outcomes.update(each.outcome for each in await apply(pool, events))
            if done.is_set():
                return

    async def read(pool: asyncpg.Pool[asyncpg.Record]) -> None:
        while not done.is_set():
            seen.append(
                await pool.fetchval("SELECT count(*) FROM events WHERE event_id = 'msg_1_0'")
            )

    async with build_pool(DatabaseSettings(), name="tests", min_size=0, max_size=8) as pool:
        for month in range(4):
            await apply(pool, _worker_events(10, first=0, month=month))
        workers = [asyncio.create_task(work(pool, month)) for month in range(4)]
        reader = asyncio.create_task(read(pool))
        await asyncio.sleep(0.5)
        created = await _maintain(database_url)
        # Once more, with prepared statements that know the partitions.
        for name in [month.name for month in created.months]:
            await database.execute(UNDO.replace("the_month", name))
            await asyncio.sleep(0.1)
        again = await _maintain(database_url)
        done.set()
        await asyncio.gather(*workers, reader)

    assert [month.name for month in again.months] == [month.name for month in created.months]
    assert sum(month.events for month in again.months) > 40
    assert set(outcomes) == {"applied"}
    assert await database.fetchval("SELECT count(*) FROM events") == outcomes.total()
    assert await database.fetchval("SELECT count(*) FROM events_default") == 0
    assert set(seen) == {1}


async def test_what_changes_while_it_is_copied_is_copied_again(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is waited for; what writers changed until then arrives as they left it."""
    monkeypatch.setitem(operators._SESSION, "lock_timeout", "200ms")
    at = datetime(YEAR, 5, 5, tzinfo=UTC)
    names = ("changed", "same")
    await _insert(database, [(name, at) for name in names], received_at=at)
    async with database.transaction():
        await database.execute("UPDATE events SET reason = 'new' WHERE event_id = 'changed'")
        await _insert(database, [("added", at)], received_at=at)
        running = asyncio.create_task(_maintain(database_url))
        await until(lambda: _waits_for_a_lock(database), bool)
        assert not running.done()
    done = await running
    rows = await database.fetch("SELECT * FROM events ORDER BY event_id")

    assert [(row["event_id"], row["reason"]) for row in rows] == [
        ("added", None),
        ("changed", "new"),
        ("same", None),
    ]
    assert [month.events for month in done.months] == [3]


async def test_what_is_deleted_while_it_is_moved_stays_deleted(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing deletes events of such a month but people: the month is left for another time."""
    monkeypatch.setitem(operators._SESSION, "lock_timeout", "200ms")
    await _fill_year(database)
    names = await _partitions(database)
    async with database.transaction():
        await database.execute("DELETE FROM events WHERE event_id = 'last'")
        running = asyncio.create_task(_maintain(database_url))
        await until(lambda: _waits_for_a_lock(database), bool)
    with pytest.raises(OperatorError, match=f"{MONTHS[0]} were deleted"):
        await running
    places = await _places(database)

    assert await _partitions(database) == names
    assert places == [("events_default", "first", 12)]
    assert sum(month.events for month in (await _maintain(database_url)).months) == 12


async def test_a_writer_that_never_ends_is_not_waited_for(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives up after a few attempts; nothing has changed, and nobody waited for long."""
    monkeypatch.setitem(operators._SESSION, "lock_timeout", "100ms")
    monkeypatch.setattr(operators, "_ATTEMPTS", 2)
    await _fill_year(database)
    await _maintain(database_url)
    before = await _places(database)
    async with database.transaction():
        await database.execute("LOCK TABLE events IN ROW EXCLUSIVE MODE")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await _maintain(database_url, ahead=9)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await _maintain(database_url, retention=1)

    assert await _places(database) == before


async def test_what_somebody_detached_is_not_dropped(database: Database, database_url: str) -> None:
    """A partition that is no longer one is somebody's archive; later events stay beside it."""
    await _fill_year(database)
    await _maintain(database_url)
    async with operators.connected(database_url) as connection:
        oldest, *_ = await partitions.list_partitions(connection)
        await database.execute(f"ALTER TABLE events DETACH PARTITION {oldest.name}")
        dropped = await partitions.drop_partition(connection, oldest)

    moment = datetime(YEAR, 1, 9, tzinfo=UTC)
    await _insert(database, [("later", moment)], received_at=moment)
    done = await _maintain(database_url)

    assert not dropped
    assert await database.fetchval("SELECT to_regclass($1) IS NOT NULL", oldest.name)
    assert (done.months, done.rest.events) == ((), 1)


async def test_lookups_read_no_more_than_they_must(database: Database, database_url: str) -> None:
    """By id and time one partition is read, by id the primary key of each."""
    await _fill_year(database)
    await _maintain(database_url)
    await database.execute("SET enable_seqscan = off")
    at = f"{YEAR}-05-05"
    exact = await _explain(database, f"event_id = 'first' AND occurred_at = '{at}'")
    by_id = await _explain(database, "event_id = 'first'")
    names = await _partitions(database)

    assert exact == {f"{MONTHS[4]}_pkey"}
    assert by_id == {f"{name}_pkey" for name in names}


async def _explain(database: Database, condition: str) -> set[str]:
    """Return the indexes, and the tables without one, that a query on the ledger reads."""
    text = await database.fetchval(EXPLAIN + condition)

    def walk(node: dict[str, Any]) -> set[str]:
        below = [walk(each) for each in node.get("Plans", [])]
        own = {node[key] for key in ("Index Name",) if key in node}
        if "Relation Name" in node and not own and not any(below):
            own = {node["Relation Name"]}
        return own.union(*below)

    return walk(json.loads(text)[0]["Plan"])


async def _console(url: str, *options: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "maintain", *options),
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url, "CLERKWORK_LEDGER_RETENTION_MONTHS": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_says_what_it_did(database: Database, database_url: str) -> None:
    """In nine lines; its log has the rest."""
    oldest = (await _partitions(database))[0]
    await database.execute(f"DROP TABLE {oldest}")
    await insert_held_back(database, until=BEGINNING)
    user = await insert_user(database)
    for status in ("active", "pending", "ended"):
        await insert_session(database, user, status=status, expire_at=BEGINNING)
    code, told, _ = await _console(database_url, "--dry-run")
    again, done, log = await _console(database_url)

    assert (code, again) == (0, 0)
    assert done.splitlines() == [
        "Users erased: 1; deleted, and held back: 0",
        "Sessions marked expired: 2; abandoned: 0",
        "Sessions by status: 1 ended, 2 expired",
        "Dead letters forgotten, gone from Kafka: 0",
        "Changes forgotten, published long ago: 0; kept: 0, of these waiting for the relay: 0",
        f"Partitions created: {oldest}",
        "Events moved there from the default partition: 0",
        "Partitions dropped: none; as old in the default partition, deleted: 0",
        "Left in the default partition: 0",
    ]
    assert "Users would be erased: 1;" in told
    assert "Sessions would be marked expired: 2;" in told
    assert "Sessions by status: 1 active, 1 ended, 1 pending" in told
    assert f"Partitions would be created: {oldest}" in told
    assert "ledger_partition_created" in log


async def test_the_command_leaves_the_work_to_another(
    database: Database, database_url: str
) -> None:
    """Cron may start it while it still runs: that is no failure."""
    await database.execute("SELECT pg_advisory_lock(6241357)")
    code, out, _ = await _console(database_url)

    assert (code, out) == (0, "Another migration or maintenance is running: nothing to do.\n")


async def test_the_command_fails_in_words(database: Database, database_url: str) -> None:
    """No server, no ledger: exit code 1 and one sentence, no traceback."""
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    code, _, away = await _console(nowhere)
    await database.execute("DROP TABLE events")
    bare, _, empty = await _console(database_url)

    assert (code, bare) == (1, 1)
    assert "PostgreSQL does not answer" in away
    assert "Run clerkwork migrate" in empty
    assert "Traceback" not in away + empty
    assert "secret" not in away
