"""What a rebuild refuses, in words that say what is missing; nothing is changed then."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from deploy.database import connected
from deploy.environment import ROOT
from deploy.errors import OperatorError
from deploy.partitions import keep_others_out
from deploy.topics import connected_admin
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.waiting import until

if TYPE_CHECKING:
    from tests.chaos.stories import Story
    from tests.integration.deploy.rebuild.conftest import Scene

TOPIC = "clerk.user-events"


async def _cut(scene: Scene, partition: int, offset: int) -> None:
    """Have Kafka forget what lies before an offset, as it does after the retention time."""
    arguments = {"bootstrap_servers": scene.settings.kafka_bootstrap_servers}
    async with connected_admin(arguments) as admin:
        await admin.delete_records(
            {TopicPartition(TOPIC, partition): RecordsToDelete(before_offset=offset)}
        )


async def _publish(scene: Scene, user: str, *, at: int, partition: int) -> None:
    event_id = new_event_id()
    await scene.producer.send_and_wait(
        TOPIC,
        user_event(user, at=at),
        key=user.encode(),
        headers=inbound_headers(event_id, subject=user),
        partition=partition,
    )
    await until(
        lambda: scene.database.fetchval(
            "SELECT count(*) FROM events WHERE event_id = $1", event_id
        ),
        lambda count: count == 1,
    )


async def _fingerprint(scene: Scene) -> object:
    """Return all rows of users, with when they were written, and what others were told."""
    return (
        await scene.database.fetch("SELECT users, xmin FROM users ORDER BY id"),
        await scene.outbox(),
    )


async def _shadow(scene: Scene) -> bool:
    """Say whether there is one."""
    return await scene.database.fetchval("SELECT to_regnamespace('rebuild') IS NOT NULL")


async def test_a_topic_that_was_shortened_is_named(scene: Scene) -> None:
    """With its offsets, since when it is kept, and how many events and users are only there."""
    lost, kept = new_user_id(), new_user_id()
    async with scene.worker():
        await _publish(scene, lost, at=1, partition=3)
        await _publish(scene, kept, at=1, partition=3)
        await _publish(scene, kept, at=2, partition=3)
        await _publish(scene, new_user_id(), at=1, partition=5)
        await _cut(scene, 3, 2)
        before = await _fingerprint(scene)
        with pytest.raises(OperatorError) as refused:
            await scene.rebuild()

    said = str(refused.value)
    assert f"{TOPIC}/3: offsets 0 to 1 are gone; the first record kept is of 20" in said
    assert "2 events of the ledger lie there, 1 users have events only there" in said
    assert f"{TOPIC}/5" not in said
    assert "retention.ms" in said
    assert await _fingerprint(scene) == before


async def test_a_topic_of_which_nothing_is_left_is_named(scene: Scene) -> None:
    """Since when cannot be said then."""
    async with scene.worker():
        await _publish(scene, new_user_id(), at=1, partition=3)
        await _cut(scene, 3, 1)
        with pytest.raises(OperatorError, match="offsets 0 to 0 are gone; nothing is kept; 1 "):
            await scene.rebuild()


async def test_what_was_gone_before_the_first_worker_is_not_missed(scene: Scene) -> None:
    """Where the ledger goes further back than what is kept, and has nothing of it."""
    for _ in range(3):
        await scene.producer.send_and_wait(TOPIC, b"of another age", partition=3)
    await _cut(scene, 3, 3)
    async with scene.worker():
        await _publish(scene, new_user_id(), at=1, partition=5)
        await _publish(scene, new_user_id(), at=1, partition=3)
        rebuilt = await scene.rebuild()

    assert (rebuilt.records, rebuilt.settled.rows) == (2, 0)


async def test_a_topic_that_was_made_anew_is_refused(scene: Scene) -> None:
    """It ends before what workers have applied."""
    async with scene.worker():
        await _publish(scene, new_user_id(), at=1, partition=3)
    await scene.database.execute("UPDATE applied_offsets SET next_offset = 9 WHERE partition = 3")
    with pytest.raises(OperatorError, match=f"{TOPIC}/3 ends at offset 1, .* passed 9"):
        await scene.rebuild()


async def test_a_kafka_that_was_lost_since_is_refused(scene: Scene) -> None:
    """It holds everything from its first offset on, and yet not what the ledger begins with."""
    async with scene.worker():
        await _publish(scene, new_user_id(), at=1, partition=3)
    await scene.database.execute(
        "INSERT INTO events SELECT 'msg_before', occurred_at, type, clerk_user_id,"
        " received_at - interval '1 day', applied_at, outcome, reason, topic, partition, 7"
        " FROM events"
    )
    with pytest.raises(OperatorError, match="the topics were made anew since"):
        await scene.rebuild()


async def test_another_kafka_is_refused(scene: Scene) -> None:
    """The ledger knows none of its records, though there are as many."""
    async with scene.worker():
        await _publish(scene, new_user_id(), at=1, partition=3)
    await scene.database.execute("UPDATE events SET event_id = 'msg_elsewhere'")
    with pytest.raises(OperatorError, match="None of the records"):
        await scene.rebuild()


async def test_beside_a_migration_it_is_refused(scene: Scene) -> None:
    """Or beside maintenance, or another rebuild."""
    async with connected(scene.url) as other:
        assert await keep_others_out(other)
        with pytest.raises(OperatorError, match="another rebuild is running"):
            await scene.rebuild()


async def test_a_pooler_that_drops_the_search_path_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live tables are not what is to be filled."""
    async with scene.worker():
        await _publish(scene, new_user_id(), at=1, partition=3)
    before = await _fingerprint(scene)
    monkeypatch.setattr("deploy.rebuild.run.opened_shadow", asyncpg.create_pool)
    with pytest.raises(OperatorError, match="drops search_path"):
        await scene.rebuild()

    assert await _fingerprint(scene) == before


async def test_tables_that_are_never_free_are_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few attempts; whoever holds them need not know."""
    async with scene.worker():
        await _publish(scene, new_user_id(), at=1, partition=3)
    monkeypatch.setattr("deploy.database._ATTEMPTS", 1)
    async with scene.database.transaction():
        await scene.database.execute("UPDATE users SET role = 'admin'")
        with pytest.raises(OperatorError, match="hold the tables all the time"):
            await scene.rebuild()


OBSTACLES = {
    "CREATE VIEW grown AS SELECT id FROM users": "users: the view grown",
    "CREATE PUBLICATION all_users FOR TABLE users": "users: the publication all_users",
    "ALTER TABLE sessions SET (fillfactor = 70)": "sessions: the storage parameter fillfactor=70",
    "CREATE INDEX mine ON sessions (device)": "sessions: index mine is ",
}


@pytest.mark.parametrize("statement", OBSTACLES)
async def test_what_hangs_on_the_live_tables_is_named(scene: Scene, statement: str) -> None:
    """It would be left behind, with tables that nobody reads."""
    await scene.database.execute(statement)
    with pytest.raises(OperatorError) as refused:
        await scene.rebuild()

    assert OBSTACLES[statement] in str(refused.value)
    assert not await _shadow(scene)


async def test_who_was_killed_leaves_the_tables_as_they_were(scene: Scene, story: Story) -> None:
    """In the middle of the last transaction, too; the next run clears away what is left."""
    async with scene.worker():
        await scene.tell(story)
    await scene.database.execute("UPDATE users SET role = 'admin'")
    before = await _fingerprint(scene)
    async with scene.database.transaction():
        await scene.database.execute("LOCK TABLE users IN ROW EXCLUSIVE MODE")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy", "rebuild", "--yes"),
            cwd=ROOT,
            env=dict(os.environ),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await until(
            lambda: scene.database.fetchval(
                "SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass AND NOT granted"
            ),
            lambda waiting: waiting == 1,
        )
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert await _shadow(scene)
    assert await _fingerprint(scene) == before

    await until(
        lambda: scene.database.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ),
        lambda held: held == 0,
    )
    rebuilt = await scene.rebuild()
    assert rebuilt.settled.swapped
    assert await scene.wrong(story) == []
    assert not await _shadow(scene)
