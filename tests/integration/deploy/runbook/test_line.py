"""A line that stopped, events that died or were skipped, and a sick database, by the runbook."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.factories import new_user_id, user_event
from tests.integration.deploy.runbook.hasty import UNLUCKY
from tests.letters import FAULT, FIX
from tests.waiting import until

if TYPE_CHECKING:
    from tests.integration.deploy.runbook.stage import Stage

SKIP = (
    'kafka-consumer-groups.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --reset-offsets'
    " --group clerkwork.projector --topic clerk.user-events --to-latest --execute"
)
"""As somebody once did by hand."""


async def _letters(stage: Stage, **labels: str) -> float:
    return await stage.value("worker", "clerkwork_dead_letters", **labels)


async def test_a_stopped_line_is_released(stage: Stage) -> None:
    """The commands say where and why; after the release what was bad is a letter, others pass."""
    user = new_user_id()
    poison = [user_event(user, at=number, updated_at="yesterday") for number in range(60)]
    await asyncio.gather(*map(stage.post, poison))
    await until(lambda: stage.value("worker", "clerkwork_line_stopped"), lambda value: value > 0)
    said = await stage.look("ClerkworkLineStopped")
    released = await stage.cure("ClerkworkLineStopped", 1)
    await until(lambda: stage.value("worker", "clerkwork_line_stopped"), lambda value: value == 0)
    await until(lambda: _letters(stage, state="open"), lambda number: number == len(poison))
    await stage.until_well()

    assert "clerk.user-events/" in said[0]
    assert "$.data.updated_at" in said[0]
    assert "goes on within seconds" in released
    await stage.run("clerkwork dlq purge --yes")


async def test_a_line_goes_on_after_the_mend(stage: Stage) -> None:
    """The constraint is gone, the line is released, and what waited is applied."""
    user = new_user_id()
    await stage.database.execute(f"{FAULT} NOT VALID")
    bodies = [user_event(user, at=number, first_name="Faulty") for number in range(60)]
    await asyncio.gather(*map(stage.post, bodies))
    await until(lambda: stage.value("worker", "clerkwork_line_stopped"), lambda value: value > 0)
    await stage.database.execute(FIX)
    await stage.cure("ClerkworkLineStopped", 0)
    await stage.until_known(user)
    await until(lambda: stage.value("worker", "clerkwork_line_stops"), lambda value: value == 0)

    outcomes = await stage.database.fetch(
        "SELECT outcome FROM events WHERE clerk_user_id = $1", user
    )
    dead = [row for row in outcomes if row["outcome"] == "dead"]
    assert len(dead) < 40  # what it takes to stop the line, twice where a canary came between


async def test_dead_letters_are_replayed(stage: Stage) -> None:
    """The reason is mended, the rehearsal counts them, and they are applied."""
    await stage.run("clerkwork dlq purge --yes")
    await stage.database.execute(f"{FAULT} NOT VALID")
    users = [await stage.tell(name="Faulty") for _ in range(3)]
    await until(lambda: _letters(stage, state="open"), lambda number: number == len(users))
    said = await stage.look("ClerkworkDeadLettersWaiting")
    await stage.database.execute(FIX)
    cured = await stage.cure("ClerkworkDeadLettersWaiting")
    for user in users:
        await stage.until_known(user)
    await until(lambda: _letters(stage, state="open"), lambda number: number == 0)

    assert "poison.data" in said[0]
    assert said[1].count("poison.data") == len(users)
    assert 'state="open"} 3.0' in said[2]
    assert "3 letters to replay." in cured


async def test_letters_that_kafka_is_about_to_forget_are_replayed(stage: Stage) -> None:
    """Only those; what is left is young."""
    await stage.run("clerkwork dlq purge --yes")
    await stage.database.execute(f"{FAULT} NOT VALID")
    old, young = [await stage.tell(name="Faulty") for _ in range(2)]
    await until(lambda: _letters(stage, state="open"), lambda number: number == 2)
    await stage.database.execute(FIX)
    await stage.database.execute(
        "UPDATE dead_letters SET dead_at = now() - interval '80 days' WHERE clerk_user_id = $1", old
    )
    said = await stage.look("ClerkworkDeadLettersExpire")
    await stage.cure("ClerkworkDeadLettersExpire")
    await stage.until_known(old)
    await until(
        lambda: stage.value("worker", "clerkwork_dead_letter_oldest_seconds"),
        lambda age: 0 < age < 3600,
    )

    assert (old in said[0], young in said[0]) == (True, False)
    await stage.run("clerkwork dlq replay --yes")
    await stage.until_known(young)


async def test_after_a_mended_deploy_what_a_bug_killed_is_brought_back(stage: Stage) -> None:
    """With the bug it ends in the dead letters; without, it is replayed and applied."""
    await stage.deploy("worker", WITH_BUG="yes")
    user = await stage.tell(name=UNLUCKY.decode())
    await until(lambda: _letters(stage, state="open"), lambda number: number == 1)
    said = await stage.look("ClerkworkRetriesGrow")
    stage.configure("worker", WITH_BUG="")
    await stage.cure("ClerkworkRetriesGrow")
    await stage.until_known(user)

    assert 'outcome="retrying"} 0.0' not in said[0]
    assert "KeyError" in said[1]
    assert "bug" in said[2]


async def test_skipped_records_are_found_and_read_again(stage: Stage) -> None:
    """Those that no worker sees: the audit names them; once the group is set back, none."""
    user = await stage.tell(at=1)
    await _applied(stage, user, count=1)
    await stage.stop("worker")
    await stage.tell(user=user, at=2)
    await stage.run(SKIP)
    # Or nobody would have to do anything: a worker that knows what it has applied turns back.
    await stage.database.execute("DELETE FROM applied_offsets")
    await stage.start("worker")
    await stage.tell(user=user, at=3)
    await _applied(stage, user, count=2)
    said = await stage.look("ClerkworkOffsetsSkipped")
    await stage.cure("ClerkworkOffsetsSkipped")
    await _applied(stage, user, count=3)
    audited = await stage.run("clerkwork audit --hours 1")

    assert "clerkwork_offsets_skipped_total 0.0" in said[0]
    assert " is not in the ledger" in said[1]
    assert ", 0 missing" in audited


async def _applied(stage: Stage, user: str, *, count: int) -> None:
    """Return when the ledger has so many events of a user."""
    events = "SELECT count(*) FROM events WHERE clerk_user_id = $1"
    await until(lambda: stage.database.fetchval(events, user), lambda number: number == count)


async def test_a_database_that_is_read_only_is_made_writable(stage: Stage) -> None:
    """Workers wait in place meanwhile, and go on by themselves."""
    name = await stage.database.fetchval("SELECT current_database()")
    await stage.database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await stage.database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    user = await stage.tell()
    await until(lambda: stage.value("worker", "clerkwork_worker_waiting"), lambda value: value > 0)
    said = await stage.look("ClerkworkDatabaseAway")
    await stage.cure("ClerkworkDatabaseAway")  # it ends every session, also ours
    await stage.reconnect()
    await stage.until_known(user)

    assert "clerkwork_worker_waiting 0.0" not in said[1]
    assert "waits in place" in said[2]


async def test_the_ledger_gets_its_months(stage: Stage) -> None:
    """They are made at once, and the worker counts them."""
    for row in await stage.database.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'events'::regclass AND inhrelid::regclass::text ~ '[0-9]{4}_?[0-9]{2}$'"
        " ORDER BY 1 DESC LIMIT 2"
    ):
        await stage.database.execute(f"DROP TABLE {row['name']}")
    await until(lambda: stage.value("worker", "clerkwork_ledger_months_ahead"), lambda n: n < 2)
    said = await stage.look("ClerkworkLedgerMonthsShort")
    await stage.cure("ClerkworkLedgerMonthsShort")
    await until(lambda: stage.value("worker", "clerkwork_ledger_months_ahead"), lambda n: n >= 2)

    assert "partition" in said[1] + said[2]
