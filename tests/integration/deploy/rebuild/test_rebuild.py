"""Rebuild the tables from a real Kafka: what is right stays, what is damaged is repaired."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database import connected
from deploy.maintain.erasures import erase_due
from deploy.maintain.sessions import mark_sessions
from deploy.rebuild.settle import prepare
from deploy.restore import restore
from tests.chaos.stories import make_story
from tests.integration.workers.order.histories import seeded
from tests.rows import insert, insert_user

if TYPE_CHECKING:
    import asyncpg

    from deploy.rebuild.run import Rebuilt
    from tests.chaos.stories import Story
    from tests.integration.deploy.rebuild.conftest import Scene

    Database = asyncpg.Connection[asyncpg.Record]


def _differing(rebuilt: Rebuilt) -> dict[str, int]:
    return {each.table: each.rows for each in rebuilt.settled.comparisons if each.rows}


async def test_what_events_have_made_is_equal(scene: Scene, story: Story) -> None:
    """Nothing is swapped then, and nobody told; poison is counted, as it is in no table."""
    async with scene.worker():
        await scene.tell(story)
        told = await scene.outbox()
        rebuilt = await scene.rebuild()

    assert _differing(rebuilt) == {}, scene.said.getvalue()
    assert rebuilt.settled.swapped is None
    assert rebuilt.records >= len(story.ids)
    assert sum(rebuilt.failed.values()) >= len(story.dead) > 0
    assert all(reason.startswith("poison.decode: ") for reason in rebuilt.failed)
    assert await scene.outbox() == told


@pytest.mark.parametrize("hold", [timedelta(0), timedelta(days=1), timedelta(days=9000)])
async def test_what_others_have_decided_is_no_difference(
    scene: Scene, story: Story, hold: timedelta
) -> None:
    """Restored, held back, erased since, run out, set by the application; whatever the policy is.

    Nor does the rebuild read the policy off its own settings where the live rows know better.
    """
    database = scene.database
    patient = scene.settings.model_copy(update={"clerkwork_erase_after": timedelta(days=30)})
    async with scene.worker(patient):
        await scene.tell(story)
    held = await database.fetch("SELECT clerk_id FROM users WHERE erase_at IS NOT NULL")
    early, late, *rest = [row["clerk_id"] for row in held]
    await restore(scene.url, early)
    async with connected(scene.url) as operator:
        await database.execute("UPDATE users SET erase_at = now() WHERE clerk_id = $1", late)
        await erase_due(operator, now=datetime.now(UTC) + timedelta(seconds=1))
        await mark_sessions(operator, now=datetime.now(UTC))
    await database.execute(
        "INSERT INTO user_data SELECT id, 'preferences', '{}' FROM users WHERE status <> 'deleted'"
    )
    rebuilt = await scene.rebuild(scene.settings.model_copy(update={"clerkwork_erase_after": hold}))
    ended = await database.fetchval("SELECT count(*) FROM sessions WHERE status = 'abandoned'")

    assert rest
    assert ended > 0
    assert _differing(rebuilt) == {}, scene.said.getvalue()


MARKED = re.compile(r"sessions \S+ status: .* found '(expired|abandoned)'")
"""Sessions of long ago that come back are marked as maintenance would."""

RUN_OUT = re.compile(f"{MARKED.pattern}|events ")
"""So are they; and what the ledger says stays."""

DAMAGE = {
    "renamed": "UPDATE users SET first_name = 'Mallory' WHERE clerk_id = $1",
    "promoted": "UPDATE users SET role = CASE role WHEN 'user' THEN 'admin' ELSE 'user' END"
    " WHERE clerk_id = $1",
    "missing": "DELETE FROM users WHERE clerk_id = $1",
    "killed": "UPDATE users SET status = 'deleted', deleted_at = now(), deletion_event_id = 'msg_x'"
    " WHERE clerk_id = $1",
    "risen": "UPDATE users SET status = 'active', deleted_at = NULL, deletion_event_id = NULL,"
    " first_name = 'Lazarus', created_at = now() WHERE clerk_id = $1",
}


async def _damage(database: Database) -> dict[str, str]:
    """Damage users of every kind, and sessions; return whom, by what was done."""
    seen = await database.fetch(
        "SELECT clerk_id FROM users WHERE status NOT IN ('pending', 'deleted') ORDER BY clerk_id"
    )
    [buried] = await database.fetch("SELECT clerk_id FROM users WHERE status = 'deleted' LIMIT 1")
    users = [*(row["clerk_id"] for row in seen[:4]), buried["clerk_id"]]
    done = dict(zip(DAMAGE, users, strict=True))
    for name, user in done.items():
        await database.execute(DAMAGE[name], user)
    await insert(
        database,
        "outbox",
        position=7,
        topic="user.changes",
        key=done["risen"],
        type="clerkwork.user.updated",
        owner=done["risen"],
        state='{"first_name": "Lazarus"}',
    )
    spared = list(done.values())
    # One that has run out would come back marked, as maintenance does it.
    deleted = await database.execute(
        "DELETE FROM sessions WHERE id = (SELECT sessions.id FROM sessions JOIN users"
        " ON users.id = user_id WHERE users.clerk_id <> ALL($1::text[])"
        " AND (least(expire_at, abandon_at) <= now()) IS NOT TRUE ORDER BY sessions.id LIMIT 1)",
        spared,
    )
    assert deleted == "DELETE 1"
    return done | {"invented": await insert_user(database)}


async def test_damage_is_found_repaired_and_told(scene: Scene, story: Story) -> None:
    """While a worker goes on; whatever it was, the tables end as the model has them."""
    later = make_story(seeded(2), events=240)
    async with scene.worker():
        await scene.tell(story)
        before = len(await scene.outbox())
        done = await _damage(scene.database)
        during = asyncio.create_task(scene.tell(later))
        rebuilt = await scene.rebuild()
        await during
        told = await scene.outbox()

    mine = set(done.values())
    changes = [(kind, key) for kind, key in told[before:] if key in mine]
    # Those of whoever was missing have come back too.
    wrong = [line for line in await scene.wrong(story, later) if not MARKED.match(line)]
    assert wrong == []
    assert sorted(changes) == sorted(
        [
            ("clerkwork.user.updated", done["renamed"]),
            ("clerkwork.user.updated", done["promoted"]),
            ("clerkwork.user.created", done["missing"]),
            ("clerkwork.user.created", done["killed"]),
            ("clerkwork.user.deleted", done["risen"]),
            ("clerkwork.user.deleted", done["invented"]),
        ]
    )
    assert rebuilt.settled.swapped
    assert rebuilt.settled.swapped.told == len(mine)
    assert await _left(scene.database) == []
    assert not await scene.database.fetchval(
        "SELECT EXISTS (SELECT FROM outbox WHERE owner = $1 AND state IS NOT NULL)", done["risen"]
    )


async def _left(database: Database) -> list[Any]:
    """Return the schemas that a rebuild has left behind."""
    return await database.fetch("SELECT nspname FROM pg_namespace WHERE nspname ~ 'rebuild'")


async def test_who_is_restored_meanwhile_stays_so(
    scene: Scene, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shadow has them deleted by then."""
    patient = scene.settings.model_copy(update={"clerkwork_erase_after": timedelta(days=30)})
    async with scene.worker(patient):
        await scene.tell(story)
    user = await scene.database.fetchval("SELECT clerk_id FROM users WHERE erase_at IS NOT NULL")

    async def prepare_late(*arguments: Any, **options: Any) -> None:
        shadow = "SELECT status FROM rebuild.users WHERE clerk_id = $1"
        assert await scene.database.fetchval(shadow, user) == "deleted"
        await restore(scene.url, user)
        await prepare(*arguments, **options)

    monkeypatch.setattr("deploy.rebuild.run.prepare", prepare_late)
    rebuilt = await scene.rebuild(patient)

    assert _differing(rebuilt) == {}, scene.said.getvalue()


async def test_who_was_held_back_and_is_lost_is_held_back_again(scene: Scene, story: Story) -> None:
    """For as long as before: the ledger knows since when."""
    patient = scene.settings.model_copy(update={"clerkwork_erase_after": timedelta(days=30)})
    until = "SELECT clerk_id, erase_at FROM users WHERE erase_at IS NOT NULL ORDER BY 1"
    async with scene.worker(patient):
        await scene.tell(story)
    before = await scene.database.fetch(until)
    await scene.database.execute("DELETE FROM users WHERE erase_at IS NOT NULL")
    await scene.rebuild(patient)

    assert len(before) > 0
    assert await scene.database.fetch(until) == before


async def test_nothing_of_the_erased_is_stored_again(
    scene: Scene, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even in the shadow, whatever the records still tell of them."""
    async with scene.worker():
        await scene.tell(story)

    async def prepare_late(*arguments: Any, **options: Any) -> None:
        left = "SELECT count(*) FROM rebuild.users WHERE erase_at IS NOT NULL"
        assert await scene.database.fetchval(left) == 0
        await prepare(*arguments, **options)

    monkeypatch.setattr("deploy.rebuild.run.prepare", prepare_late)
    await scene.rebuild()

    erased = "SELECT count(*) FROM users WHERE status = 'deleted'"
    assert await scene.database.fetchval(erased) > 0


async def test_a_dry_run_changes_nothing(scene: Scene, story: Story) -> None:
    """It only says what differs: personal data is masked, ids and words of Clerk's are not."""
    async with scene.worker():
        await scene.tell(story)
    done = await _damage(scene.database)
    tables = await scene.wrong(story)
    told = await scene.outbox()
    rebuilt = await scene.rebuild(dry_run=True)
    said = scene.said.getvalue()

    assert await scene.wrong(story) == tables != []
    assert await scene.outbox() == told
    assert rebuilt.settled.swapped is None
    assert rebuilt.settled.rows > len(done)
    assert f"users {done['renamed']} first_name: ••• -> " in said
    assert f"users {done['promoted']} role: " in said
    assert f"users {done['missing']}: only rebuilt" in said
    assert f"users {done['invented']}: only live" in said
    assert "Mallory" not in said
    assert "example.com" not in said
    assert await _left(scene.database) == []


async def test_what_a_bug_had_failed_is_there_once_it_is_mended(
    scene: Scene, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that wait in retry topics have passed, and are in no table: their records are read."""

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as bug:
        bug.setattr("workers.decode.project", fail)
        async with scene.worker():
            await scene.tell(story)
    assert await scene.database.fetchval("SELECT count(*) FROM users") == 0
    rebuilt = await scene.rebuild()

    assert rebuilt.settled.swapped
    wrong = [line for line in await scene.wrong(story) if not RUN_OUT.match(line)]
    assert wrong == []


async def test_a_database_that_was_lost_is_filled_again(scene: Scene, story: Story) -> None:
    """Kafka knows how far workers had come; they go on from there, and miss nothing."""
    database = scene.database
    async with scene.worker():
        await scene.tell(story)
    offsets = "SELECT topic, partition, next_offset FROM applied_offsets ORDER BY 1, 2"
    applied = await database.fetch(offsets)
    await database.execute("TRUNCATE users, organizations, events, applied_offsets, outbox CASCADE")
    rebuilt = await scene.rebuild()

    visible = "SELECT count(*) FROM users WHERE status NOT IN ('pending', 'deleted')"
    wrong = [line for line in await scene.wrong(story) if not RUN_OUT.match(line)]
    assert rebuilt.settled.swapped
    assert rebuilt.settled.swapped.told == await database.fetchval(visible)
    assert await database.fetch(offsets) == applied
    assert wrong == []


async def test_nothing_at_all_is_equal(scene: Scene) -> None:
    """Before the first event, too."""
    rebuilt = await scene.rebuild()

    assert (rebuilt.records, rebuilt.settled.rows) == (0, 0)
