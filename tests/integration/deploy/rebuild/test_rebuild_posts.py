"""What users have said is in PostgreSQL alone: a rebuild leaves it there, or tells what is gone."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from schema.kafka.changes import POST_CREATED, POST_DELETED
from schema.kafka.commands import DataDeletion, DataPut
from schema.postgres.ids import derive_id
from tests.commands import (
    OWN_DATA,
    change_post,
    command_record,
    create_post,
    new_post_id,
)
from tests.factories import make_record, new_user_id, user_event
from tests.waiting import until

if TYPE_CHECKING:
    import uuid

    from aiokafka import ConsumerRecord

    from tests.integration.deploy.rebuild.conftest import Scene

SAID = "SELECT * FROM user_data WHERE version > 0 ORDER BY user_id, key"


def _user(user: str, *, at: int = 0, kind: str = "user.created") -> ConsumerRecord[Any, Any]:
    return make_record(user_event(user, at=at, kind=kind), subject=user)


async def _send(scene: Scene, *records: ConsumerRecord[Any, Any]) -> None:
    """Have records applied by a worker, one after the other."""
    before = await scene.database.fetchval("SELECT count(*) FROM events")
    for record in records:
        await scene.producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers)
        )
    await until(
        lambda: scene.database.fetchval("SELECT count(*) FROM events"),
        lambda count: count == before + len(records),
    )


async def _told(scene: Scene, post: uuid.UUID) -> list[tuple[str, bool]]:
    rows = await scene.database.fetch(
        "SELECT type, public FROM outbox WHERE key = $1 ORDER BY position", str(post)
    )
    return [(row["type"], row["public"]) for row in rows]


async def test_what_users_have_said_stays(scene: Scene) -> None:
    """Posts and data, also of those of whom Clerk told nothing; the reference is set anew."""
    known, unknown = new_user_id(), new_user_id()
    posts = {user: new_post_id(user) for user in (known, unknown)}
    value = msgspec.Raw(json.dumps(OWN_DATA["preferences"]).encode())
    async with scene.worker():
        await _send(
            scene,
            _user(known),
            *(command_record(create_post(user, post)) for user, post in posts.items()),
            command_record(change_post(known, posts[known], status="published"), at=1),
            *(
                command_record(DataPut(user_id=user, key="preferences", value=value))
                for user in posts
            ),
            command_record(DataDeletion(user_id=known, key="feature_flags")),
        )
        same = await scene.rebuild()
        await scene.database.execute("UPDATE users SET first_name = 'Mallory'")
        before = [await scene.database.fetch(each) for each in ("TABLE posts", SAID)]
        told = {post: await _told(scene, post) for post in posts.values()}
        rebuilt = await scene.rebuild()
        after = [await scene.database.fetch(each) for each in ("TABLE posts", SAID)]
        await _send(scene, command_record(change_post(unknown, posts[unknown], title="New"), at=2))

    assert same.settled.rows == 0, scene.said.getvalue()
    assert rebuilt.settled.swapped
    assert after == before
    assert {post: (await _told(scene, post))[: len(told[post])] for post in told} == told
    await scene.database.execute("DELETE FROM users")
    assert await scene.database.fetchval("SELECT count(*) FROM posts") == 0


async def test_posts_follow_what_becomes_of_their_authors(scene: Scene) -> None:
    """Who is deleted only in Kafka loses them, who is deleted only here has them back."""
    risen, killed = new_user_id(), new_user_id()
    posts = {user: new_post_id(user) for user in (risen, killed)}
    async with scene.worker():
        await _send(scene, *map(_user, posts), _user(risen, at=5, kind="user.deleted"))
        await scene.database.execute(
            "UPDATE users SET status = 'active', deleted_at = NULL WHERE clerk_id = $1", risen
        )
        await _send(
            scene,
            *(
                command_record(create_post(user, post, status="published"), at=9)
                for user, post in posts.items()
            ),
        )
        await scene.database.execute(
            "UPDATE users SET status = 'deleted', deleted_at = now(), deletion_event_id = 'msg_x',"
            " held_status = 'active', erase_at = now() + $2::interval WHERE clerk_id = $1",
            killed,
            timedelta(days=9),
        )
        await scene.database.execute("DELETE FROM outbox WHERE owner = $1", killed)
        await scene.rebuild()
    left = [row["user_id"] for row in await scene.database.fetch("SELECT user_id FROM posts")]

    assert await _told(scene, posts[risen]) == [(POST_DELETED, True)]
    assert await _told(scene, posts[killed]) == [(POST_CREATED, True)]
    assert left == [derive_id(killed)]
