"""Commands, from records to rows, ledger and outbox, on a real PostgreSQL."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from schema.kafka.changes import POST_CREATED, POST_DELETED, POST_UPDATED, PostState
from schema.kafka.clerk import time_from_ms
from schema.kafka.commands import DataDeletion, DataPut
from schema.postgres.ids import derive_id
from tests.commands import (
    OWN_DATA,
    change_post,
    command_record,
    create_post,
    delete_post,
    new_post_id,
)
from tests.factories import CREATED_MS, make_record, new_user_id, user_event
from workers.apply import Policy, apply
from workers.decode import decode

if TYPE_CHECKING:
    import uuid

    import asyncpg
    from aiokafka import ConsumerRecord

    from schema.kafka.commands import Command

    Pool = asyncpg.Pool[asyncpg.Record]
    Record = ConsumerRecord[Any, Any]

HOLDING = Policy(erase_after=timedelta(days=1))


async def _apply(pool: Pool, *records: Record, policy: Policy | None = None) -> list[str]:
    events = [decode(record) for record in records]
    return [each.outcome for each in await apply(pool, events, policy or Policy())]


async def _post(pool: Pool, post: uuid.UUID) -> dict[str, Any]:
    row = await pool.fetchrow("SELECT * FROM posts WHERE id = $1", post)
    assert row is not None
    return dict(row)


async def _told(pool: Pool, post: uuid.UUID) -> list[tuple[str, bool, str | None]]:
    """Return type, whether everyone may read it, and title of what was told of a post."""
    rows = await pool.fetch("SELECT * FROM outbox WHERE key = $1 ORDER BY position", str(post))
    return [
        (
            row["type"],
            row["public"],
            row["state"] and PostState.model_validate_json(row["state"]).title,
        )
        for row in rows
    ]


async def test_a_post_is_created_changed_and_deleted(pool: Pool) -> None:
    """Step by step, each in the ledger; its author has a row, though Clerk told nothing of them."""
    author = new_user_id()
    post = new_post_id(author)
    steps: list[Command] = [
        create_post(author, post, "One"),
        change_post(author, post, title="Two", status="published"),
        delete_post(author, post),
    ]
    rows = []
    for at, step in enumerate(steps):
        assert await _apply(pool, command_record(step, at=at)) == ["applied"]
        rows.append(await _post(pool, post))

    assert [row["title"] for row in rows] == ["One", "Two", ""]
    assert [row["version"] for row in rows] == [CREATED_MS, CREATED_MS + 1, CREATED_MS + 2]
    assert [row["updated_at"] for row in rows] == [
        *(time_from_ms(CREATED_MS), time_from_ms(CREATED_MS + 1)),
        None,
    ]
    assert rows[2]["deleted_at"] == time_from_ms(CREATED_MS + 2)
    assert await pool.fetchval("SELECT status FROM users WHERE clerk_id = $1", author) == "pending"
    assert await pool.fetchval("SELECT count(*) FROM events WHERE outcome = 'applied'") == 3


async def test_any_order_ends_alike(pool: Pool) -> None:
    """A creation undoes no change, the first of two counts, and each field goes its own way."""
    author = new_user_id()
    ends = []
    for number in range(24):
        post = new_post_id(author)
        steps = [
            command_record(create_post(author, post, "Late", body="late"), at=5),
            command_record(create_post(author, post, "First", body="first"), at=1),
            command_record(change_post(author, post, title="New"), at=3, command_id="cmd_b"),
            command_record(change_post(author, post, title="Old"), at=3, command_id="cmd_B"),
        ]
        for record in list(itertools.permutations(steps))[number]:
            await _apply(pool, record)
        row = await _post(pool, post)
        ends.append((row["title"], row["body"], row["created_at"], row["version"]))

    assert set(ends) == {("New", "first", time_from_ms(CREATED_MS + 1), CREATED_MS + 3)}


async def test_a_change_may_come_first(pool: Pool) -> None:
    """Nobody sees the post before its creation."""
    author = new_user_id()
    post = new_post_id(author)
    await _apply(pool, command_record(change_post(author, post, title="Two"), at=1))
    stub = await _post(pool, post)
    untold = await _told(pool, post)
    await _apply(pool, command_record(create_post(author, post, "One", body="Text"), at=0))
    row = await _post(pool, post)

    assert (stub["created_at"], stub["updated_at"], stub["version"]) == (None, None, CREATED_MS + 1)
    assert untold == []
    assert (row["title"], row["body"], row["version"]) == ("Two", "Text", CREATED_MS + 1)
    assert await _told(pool, post) == [(POST_CREATED, False, "Two")]


async def test_what_is_repeated_or_too_late_is_stale(pool: Pool) -> None:
    """And is told to nobody."""
    author = new_user_id()
    post = new_post_id(author)
    created = command_record(create_post(author, post), at=0)
    changed = command_record(change_post(author, post, title="New"), at=9)
    await _apply(pool, created, changed)
    told = await _told(pool, post)
    late = command_record(change_post(author, post, title="Old"), at=5)

    assert await _apply(pool, created, changed, late) == ["stale"] * 3
    assert await _told(pool, post) == told


async def test_somebody_elses_post_is_refused(pool: Pool) -> None:
    """Whatever is asked for: no row, no letter, and the ledger says why."""
    author, other = new_user_id(), new_user_id()
    post = new_post_id(author)
    await _apply(pool, command_record(create_post(author, post, "Mine", status="published")))
    before = await _post(pool, post), await _told(pool, post)
    outcomes = await _apply(
        pool,
        command_record(create_post(other, post), at=1),
        command_record(change_post(other, post, title="Theirs"), at=2),
        command_record(delete_post(other, post), at=3),
    )
    reasons = await pool.fetch("SELECT DISTINCT reason FROM events WHERE outcome = 'refused'")

    assert outcomes == ["refused"] * 3
    assert (await _post(pool, post), await _told(pool, post)) == before
    assert [row["reason"] for row in reasons] == ["$.data.id: the post is somebody else's"]
    assert await pool.fetchval("SELECT count(*) FROM users WHERE clerk_id = $1", other) == 0


async def test_a_post_that_is_withdrawn_is_gone_for_everyone_but_its_author(pool: Pool) -> None:
    """Also for those who read on from before: its text is no longer public anywhere."""
    author = new_user_id()
    post = new_post_id(author)
    await _apply(pool, command_record(create_post(author, post, "Secret", status="published")))
    await _apply(pool, command_record(change_post(author, post, status="draft"), at=1))
    await _apply(pool, command_record(change_post(author, post, title="Better"), at=2))
    await _apply(pool, command_record(change_post(author, post, status="published"), at=3))

    assert await _told(pool, post) == [
        (POST_CREATED, False, "Secret"),
        (POST_DELETED, True, None),
        (POST_UPDATED, False, "Secret"),
        (POST_UPDATED, False, "Better"),
        (POST_UPDATED, True, "Better"),
    ]


@pytest.mark.parametrize("status", ["draft", "published"])
async def test_of_a_deleted_post_nothing_is_left(pool: Pool, status: Any) -> None:
    """Not in what was told before either; those who could see it learn that it is gone."""
    author = new_user_id()
    post = new_post_id(author)
    await _apply(pool, command_record(create_post(author, post, status=status)))
    await _apply(pool, command_record(delete_post(author, post), at=1))

    assert await _told(pool, post) == [(POST_DELETED, status == "published", None)]


async def test_a_state_is_what_the_contract_promises(pool: Pool) -> None:
    """Field by field."""
    author = new_user_id()
    post = new_post_id(author)
    await _apply(pool, command_record(create_post(author, post, "Hi", status="published"), at=7))
    row = await pool.fetchrow("SELECT * FROM outbox WHERE key = $1", str(post))
    assert row is not None

    assert (row["topic"], row["owner"]) == ("post.changes", author)
    assert json.loads(row["state"]) == {
        "schema_version": 1,
        "sequence": row["position"],
        "version": CREATED_MS + 7,
        "id": str(post),
        "user_id": str(derive_id(author)),
        "clerk_user_id": author,
        "title": "Hi",
        "body": "First.",
        "status": "published",
        "created_at": "2026-01-01T00:00:00.007Z",
        "updated_at": "2026-01-01T00:00:00.007Z",
    }


@pytest.mark.parametrize("policy", [Policy(), HOLDING], ids=["erased", "held back"])
async def test_posts_are_gone_with_their_author(pool: Pool, policy: Policy) -> None:
    """Each is told, once; later commands change nothing that anybody sees."""
    author = new_user_id()
    draft, public, gone = (new_post_id(author) for _ in range(3))
    await _apply(
        pool,
        command_record(create_post(author, draft)),
        command_record(create_post(author, public, status="published")),
        command_record(create_post(author, gone)),
    )
    await _apply(pool, command_record(delete_post(author, gone), at=1))
    deletion = make_record(user_event(author, at=2, kind="user.deleted"))
    await _apply(pool, deletion, policy=policy)
    await _apply(pool, command_record(change_post(author, public, title="!"), at=3), policy=policy)
    await _apply(pool, command_record(delete_post(author, draft), at=4), policy=policy)

    assert await _told(pool, draft) == [(POST_DELETED, False, None)]
    assert await _told(pool, public) == [(POST_DELETED, True, None)]
    assert await _told(pool, gone) == [(POST_DELETED, False, None)]
    assert await pool.fetchval("SELECT count(*) FROM posts") == (3 if policy.erase_after else 0)


async def test_users_say_things_of_themselves(pool: Pool) -> None:
    """The last word counts, a deletion too; nobody is told, and what is derived stays."""
    user = new_user_id()
    await _apply(pool, make_record(user_event(user, at=0)))
    derived = await pool.fetchval("SELECT count(*) FROM user_data")
    told = await pool.fetchval("SELECT count(*) FROM outbox")
    values = {key: msgspec.Raw(json.dumps(value).encode()) for key, value in OWN_DATA.items()}
    puts = [DataPut(user_id=user, key=key, value=values[key]) for key in values]  # type: ignore[arg-type]  # each is one
    await _apply(pool, *(command_record(put, at=5) for put in puts))
    unset = DataDeletion(user_id=user, key="preferences")
    outcomes = await _apply(
        pool,
        command_record(unset, at=9),
        command_record(puts[0], at=8),
        command_record(unset, at=4),
        command_record(DataDeletion(user_id=user, key="feature_flags"), at=4),
    )
    rows = await pool.fetch("SELECT key, value FROM user_data WHERE version > 0")
    said = {row["key"]: row["value"] and json.loads(row["value"]) for row in rows}

    assert outcomes == ["applied", "stale", "stale", "stale"]
    assert said == OWN_DATA | {"preferences": None}
    assert await pool.fetchval("SELECT count(*) FROM user_data WHERE version = 0") == derived
    assert await pool.fetchval("SELECT count(*) FROM outbox") == told
