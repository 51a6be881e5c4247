"""What the outbox holds after batches, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schema.kafka.changes import (
    CANARY,
    CANARY_PREFIX,
    USER_CREATED,
    USER_DELETED,
    USER_UPDATED,
    UserState,
)
from tests.factories import CREATED_MS, make_body, make_record, new_user_id, user_event
from workers.apply import Policy, apply
from workers.decode import decode
from workers.project.users import UserRow

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]

LATER = CREATED_MS + 5000


async def _apply(pool: Pool, *bodies: bytes, policy: Policy | None = None) -> None:
    await apply(pool, [decode(make_record(body)) for body in bodies], policy or Policy())


async def _told(pool: Pool, user_id: str) -> list[tuple[str, Any]]:
    """Return type and first name, or None without a state, of what was told of a user."""
    rows = await pool.fetch("SELECT * FROM outbox WHERE key = $1 ORDER BY position", user_id)
    return [
        (row["type"], row["state"] and UserState.model_validate_json(row["state"]).first_name)
        for row in rows
    ]


async def test_each_state_of_a_user_is_told(pool: Pool) -> None:
    """Created, updated, deleted: with the deletion, what was told before is gone too."""
    user_id = new_user_id()
    await _apply(pool, user_event(user_id, at=0, first_name="One"))
    await _apply(pool, user_event(user_id, at=1, first_name="Two"))
    living = await _told(pool, user_id)
    await _apply(pool, user_event(user_id, at=2, kind="user.deleted"))

    assert living == [(USER_CREATED, "One"), (USER_UPDATED, "Two")]
    assert await _told(pool, user_id) == [(USER_DELETED, None)]


async def test_what_nobody_sees_is_not_told(pool: Pool) -> None:
    """Repetitions, old snapshots, private data, activity, who is only named: all tell nothing."""
    user_id, named = new_user_id(), new_user_id()
    first = user_event(user_id, at=10)
    await _apply(pool, first)
    await _apply(pool, first)
    await _apply(pool, user_event(user_id, at=5, first_name="Old"))
    await _apply(pool, user_event(user_id, at=20, private_metadata={"plan": "secret"}))
    await _apply(pool, user_event(user_id, at=30, last_active_at=LATER, last_sign_in_at=LATER))
    await _apply(pool, make_body("session.pending", id="sess_1", user_id=named, user=None))

    assert [kind for kind, _ in await _told(pool, user_id)] == [USER_CREATED]
    assert await _told(pool, named) == []
    assert await pool.fetchval("SELECT count(*) FROM users") == 2


def _address(verified: str, email: str = "new@example.com") -> dict[str, Any]:
    address = {"id": "idn_1", "email_address": email, "verification": {"status": verified}}
    return {"primary_email_address_id": "idn_1", "email_addresses": [address]}


BEFORE = _address("unverified", "old@example.com")
AFTER: dict[str, dict[str, Any]] = {
    "email": _address("unverified"),
    "email_verified": _address("verified", "old@example.com"),
    "first_name": {"first_name": "Another"},
    "last_name": {"last_name": "Another"},
    "username": {"username": "another"},
    "image_url": {"image_url": "https://img.clerk.com/another"},
    "external_id": {"external_id": "another"},
    "role": {"public_metadata": {"role": "admin"}},
    "status": {"banned": True},
    "public_metadata": {"public_metadata": {"another": 1}},
    "created_at": {"created_at": CREATED_MS - 1},
}


@pytest.mark.parametrize("name", AFTER)
async def test_a_change_of_any_field_is_told(pool: Pool, name: str) -> None:
    """Of that one alone, where it can change alone."""
    user_id = new_user_id()
    await _apply(pool, user_event(user_id, at=0, **BEFORE))
    await _apply(pool, user_event(user_id, at=1, **BEFORE | AFTER[name]))
    rows = await pool.fetch("SELECT state FROM outbox WHERE key = $1 ORDER BY position", user_id)
    before, after = (json.loads(row["state"]) for row in rows)

    changed = {each for each in before if before[each] != after[each]}
    assert name in changed
    assert changed - {name} <= {"sequence", "version", "public_metadata"}


def test_every_field_was_changed() -> None:
    """But those that tell which change it is, and of whom."""
    fixed = {"schema_version", "sequence", "version", "id", "clerk_id"}

    assert AFTER.keys() == UserState.model_fields.keys() - fixed


async def test_who_was_only_named_is_created_when_they_come(pool: Pool) -> None:
    """To others a stub is nobody."""
    user_id = new_user_id()
    await _apply(pool, make_body("session.pending", id="sess_1", user_id=user_id, user=None))
    await _apply(pool, user_event(user_id, at=0, first_name="Ada"))

    assert await _told(pool, user_id) == [(USER_CREATED, "Ada")]


async def test_a_deletion_that_comes_first_is_told_once(pool: Pool) -> None:
    """Whatever comes after it; and a later deletion is no news."""
    user_id = new_user_id()
    for at in (5, 5, 9):
        await _apply(pool, user_event(user_id, at=at, kind="user.deleted"))
    await _apply(pool, user_event(user_id, at=7))

    assert await _told(pool, user_id) == [(USER_DELETED, None)]


async def test_a_deletion_that_is_held_back_is_told_at_once(pool: Pool) -> None:
    """And what is changed behind it is not told at all."""
    user_id, policy = new_user_id(), Policy(erase_after=timedelta(days=1))
    await _apply(pool, user_event(user_id, at=0, first_name="One"), policy=policy)
    await _apply(pool, user_event(user_id, at=1, kind="user.deleted"), policy=policy)
    await _apply(pool, user_event(user_id, at=2, first_name="Hidden"), policy=policy)

    assert await _told(pool, user_id) == [(USER_CREATED, "One"), (USER_DELETED, None)]


async def test_nothing_private_is_told(pool: Pool, sample: dict[str, bytes]) -> None:
    """A state has the fields of its contract and no others."""
    private = {"private_metadata": {"k": "hush"}, "unsafe_metadata": {"k": "hush"}}
    body = json.loads(sample["user.created"])
    body["data"] |= private
    await _apply(pool, json.dumps(body).encode())
    state = await pool.fetchval("SELECT state FROM outbox")

    assert set(json.loads(state)) == set(UserState.model_fields)
    assert "hush" not in state


async def test_a_bad_event_beside_them_keeps_nobody_from_being_told(pool: Pool) -> None:
    """Where the batch is halved, all is told in the end, once."""
    users = [new_user_id() for _ in range(5)]
    bodies = [user_event(user_id, at=0, first_name="Ada") for user_id in users]
    events = [decode(make_record(body)) for body in bodies]
    # A value that only the database refuses.
    broken = decode(make_record(user_event(new_user_id(), at=0)))
    rows = [row._replace(role="nobody") if isinstance(row, UserRow) else row for row in broken.rows]
    broken = replace(broken, rows=tuple(rows))
    outcomes = await apply(pool, [*events[:3], broken, *events[3:]])

    assert [each.outcome for each in outcomes].count("dead") == 1
    for user_id in users:
        assert await _told(pool, user_id) == [(USER_CREATED, "Ada")]


async def test_a_canary_is_told_and_never_seen(pool: Pool) -> None:
    """Its version moves, its row stays pending, its record says nothing."""
    user_id = f"{CANARY_PREFIX}-1"
    for at in (0, 1):
        await _apply(pool, user_event(user_id, at=at, first_name="Tweety"))
    row = await pool.fetchrow("SELECT status, version, first_name FROM users")
    assert row

    assert await _told(pool, user_id) == [(CANARY, None)] * 2
    assert tuple(row) == ("pending", CREATED_MS + 1, None)
    assert await pool.fetchval("SELECT count(*) FROM user_names") == 0


async def test_a_position_becomes_visible_after_all_before_it(pool: Pool) -> None:
    """Who tells waits for whoever tells already, however long that takes to commit."""
    slow, quick = new_user_id(), new_user_id()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(6241358)")
        other = asyncio.create_task(_apply(pool, user_event(quick, at=0)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(other), 0.3)
        place = time.time_ns() // 1000 + 60_000_000
        await connection.execute(
            "INSERT INTO outbox VALUES ($1, 'user.changes', $2, 'clerkwork.user.deleted', $2)",
            place,
            slow,
        )
    await other
    keys = await pool.fetch("SELECT key, position FROM outbox ORDER BY position")

    assert [(row["key"], row["position"]) for row in keys] == [(slow, place), (quick, place + 1)]


async def test_positions_go_on_after_what_is_published(pool: Pool) -> None:
    """Also where the outbox is empty and the clock is behind what the relay knows of."""
    ahead = time.time_ns() // 1000 + 3_600_000_000
    await pool.execute("INSERT INTO relay_progress VALUES ('outbox', $1, now())", ahead)
    await _apply(pool, user_event(new_user_id(), at=0), user_event(new_user_id(), at=0))
    positions = await pool.fetch("SELECT position FROM outbox ORDER BY position")

    assert [row["position"] for row in positions] == [ahead + 1, ahead + 2]
