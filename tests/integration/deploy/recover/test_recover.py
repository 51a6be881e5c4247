"""The page on recovery, followed word for word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from schema.kafka.changes import CANARY_PREFIX
from tests.factories import new_user_id, user_event
from tests.integration.deploy.recover.copies import Copy
from tests.integration.deploy.runbook.hasty import UNLUCKY
from tests.waiting import until

if TYPE_CHECKING:
    from tests.integration.deploy.recover.conftest import Scene

RESTORED: Final = "PostgreSQL is restored"
LOST: Final = "Kafka is lost"
FAILED: Final = "A deploy failed events"
WRONG: Final = "A deploy wrote wrong rows"

_PEOPLE: Final = f"(SELECT id FROM users WHERE clerk_id NOT LIKE '{CANARY_PREFIX}%')"  # noqa: S608  # ours
TABLES: Final = {
    "users": f"SELECT * FROM users WHERE id IN {_PEOPLE}",  # noqa: S608  # ours
    "user_data": f"SELECT * FROM user_data WHERE user_id IN {_PEOPLE}",  # noqa: S608  # ours
    "user_names": f"SELECT * FROM user_names WHERE user_id IN {_PEOPLE}",  # noqa: S608  # ours
    "posts": "SELECT * FROM posts",
    "events": "SELECT event_id, outcome FROM events"  # noqa: S608  # ours
    f" WHERE clerk_user_id IS NULL OR clerk_user_id NOT LIKE '{CANARY_PREFIX}%'",
}


@pytest.fixture(scope="module")
def copy(scene: Scene) -> Copy:
    """A service that lives through all of it."""
    return Copy(bootstrap_servers=scene.kafka.bootstrap_servers)


async def _tables(scene: Scene) -> set[tuple[str, str]]:
    """Return all rows of the tables, as text."""
    return {
        (name, row["row"])
        for name, query in TABLES.items()
        for row in await scene.stage.database.fetch(
            f"SELECT to_jsonb(t)::text AS row FROM ({query}) AS t"  # noqa: S608  # ours
        )
    }


async def _letters(scene: Scene, **labels: str) -> int:
    return int(await scene.stage.value("worker", "clerkwork_dead_letters", **labels))


async def _poison(scene: Scene) -> None:
    """Have an event die."""
    before = await _letters(scene, state="open")
    assert await scene.stage.post(user_event(new_user_id(), at=1, updated_at="yesterday")) == 202
    await until(lambda: _letters(scene, state="open"), lambda number: number > before)


async def _posts(scene: Scene) -> set[str]:
    rows = await scene.stage.database.fetch("SELECT title FROM posts")
    return {row["title"] for row in rows}


async def test_a_database_from_a_backup_catches_up(scene: Scene, copy: Copy) -> None:
    """Rows, ledger and letters are as if nothing had happened; so is who has followed."""
    world, stage = scene.world, scene.stage
    users = list(world.users)
    await stage.stop("canary")
    await scene.write_post(users[0], "before")
    await _poison(scene)
    await until(lambda: _posts(scene), {"before"}.__eq__)
    await scene.follow(RESTORED, 0)
    await scene.hear(*(world.update_user(user, first_name="Grace") for user in users[:8]))
    await scene.hear(*(world.create_user(first_name="Edith") for _ in range(5)))
    await scene.hear(world.delete_user(users[20]))
    await scene.write_post(users[1], "after")
    await _poison(scene)
    await until(lambda: _posts(scene), {"before", "after"}.__eq__)
    await scene.until_true()
    await until(copy.read_on, scene.truth.__eq__)
    before, cursor = await _tables(scene), await _cursor(scene, users[0])
    await scene.follow(RESTORED, 1)
    await scene.lose_database()
    await scene.follow(RESTORED, 2)
    assert await scene.names() != scene.truth
    said = await scene.follow(RESTORED, 3)
    await scene.follow(RESTORED, 4)
    answer = await scene.changes(users[0], cursor)
    checked = await scene.follow(RESTORED, 5)
    after = await _tables(scene)

    assert "clerkwork.projector would go back by" in said
    assert "clerkwork.projector goes back by" in said
    assert "clerkwork.desk goes back by 1 records" in said
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "CURSOR_EXPIRED")
    assert ", 0 missing" in checked
    assert after ^ before == set()
    await until(copy.read_on, scene.truth.__eq__)
    letters = await stage.database.fetch("SELECT event_id FROM dead_letters")
    assert len({row["event_id"] for row in letters}) == 2
    assert await stage.value("worker", "clerkwork_offsets_skipped_total") == 0
    await stage.run("clerkwork dlq purge --yes")


async def _cursor(scene: Scene, user: str) -> str:
    """Return where a caller of the API would go on."""
    answer = await scene.changes(user, "now")
    return str(answer.json()["next_cursor"])


async def test_what_a_deploy_failed_is_brought_back(scene: Scene) -> None:
    """Some have died, others wait behind a line that has stopped; nothing is lost of either."""
    world, stage = scene.world, scene.stage
    await stage.deploy("worker", WITH_BUG="yes")
    unlucky = [world.create_user(first_name=UNLUCKY.decode()) for _ in range(3)]
    await scene.hear(*unlucky)
    await until(lambda: _letters(scene, state="open"), lambda number: number == 3)
    again = [
        world.update_user(unlucky[0].id, first_name=UNLUCKY.decode(), last_name=f"{number}")
        for number in range(60)
    ]
    await scene.hear(*again)
    await until(lambda: stage.value("worker", "clerkwork_line_stopped"), lambda value: value > 0)
    stage.configure("worker", WITH_BUG="")
    released = await scene.follow(FAILED, 0)
    await until(lambda: stage.value("worker", "clerkwork_line_stops"), lambda value: value == 0)
    replayed = await scene.follow(FAILED, 1)
    await scene.until_true()
    await until(lambda: _letters(scene, state="open"), lambda number: number == 0)
    checked = await scene.follow(FAILED, 2)

    assert "goes on within seconds" in released
    assert "letters to replay" in replayed
    assert ", 0 missing" in checked


async def test_wrong_rows_are_made_anew(scene: Scene, copy: Copy) -> None:
    """To tell the same again does not help; to rebuild does, and others are told."""
    world, stage = scene.world, scene.stage
    await stage.deploy("worker", WITH_BUG="wrong")
    users = list(world.users)[:3]
    told = [world.update_user(user, first_name="Rosalind") for user in users]
    told += [world.create_user(first_name="Lise")]
    await scene.hear(*told)
    wrong = {each.id: "Nobody" for each in told}
    await until(scene.names, (scene.truth | wrong).__eq__)
    stage.configure("worker", WITH_BUG="")
    await scene.follow(WRONG, 0)
    await scene.hear(*told)
    await until(
        lambda: stage.value("worker", "clerkwork_events_total", outcome="stale"),
        lambda number: number >= len(told),
    )
    still = await scene.names()
    said = await scene.follow(WRONG, 1)
    rebuilt = await scene.names()
    await scene.follow(WRONG, 2)
    await scene.follow(WRONG, 3)

    assert still == scene.truth | wrong
    assert "first_name" in said
    assert rebuilt == scene.truth
    await until(copy.read_on, scene.truth.__eq__)


async def test_a_kafka_that_is_lost_begins_anew(scene: Scene, copy: Copy) -> None:
    """What was on its way comes from Clerk, others are told, and the index knows new letters."""
    world, stage = scene.world, scene.stage
    await until(copy.read_on, scene.truth.__eq__)
    unheard = world.create_user(first_name="Mary")
    world.delete_user(next(iter(world.users)))
    await asyncio.to_thread(scene.lose_kafka)
    assert await stage.post(unheard.body) == 503
    said = await scene.follow(LOST, 0)
    await scene.follow(LOST, 1)
    tables = await scene.names()
    await scene.follow(LOST, 2)
    checked = await scene.follow(LOST, 3)
    copy.positions.clear()
    newcomer = Copy(bootstrap_servers=scene.kafka.bootstrap_servers)
    await _poison(scene)

    assert "partitions were made anew" in said
    assert "dead letters were lost with their topics" in said
    assert tables == scene.truth
    assert "\tok\tapplied offsets" in checked
    await until(newcomer.read_on, scene.truth.__eq__)
    await until(copy.read_on, scene.truth.__eq__)
    assert await _skipped(scene) == 0


async def _skipped(scene: Scene) -> Any:
    return await scene.stage.value("worker", "clerkwork_offsets_skipped_total")
