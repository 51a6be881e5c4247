"""What a deletion leaves: at once, held back, and after a restoration."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schema.postgres.ids import derive_id
from tests.factories import CREATED_MS, make_body, make_record, new_event_id, user_event
from tests.waiting import until
from workers.apply import Policy, apply
from workers.decode import decode
from workers.erase import erase_users

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]

NADIA = "user_37Zqj8lsjnXARgl7WaUPS8yKPjg"
TOMAS = "user_37ZqgGbqUKxHAn1fEGXV0B03q8R"
HELD = Policy(erase_after=timedelta(days=7))
DEPENDENTS = (
    *("user_data", "user_names", "sessions"),
    *("organization_memberships", "organization_invitations"),
)
LIFE = (
    *("user.created.oauth", "session.pending", "organizationMembership.created"),
    *("organizationInvitation.accepted", "organization.created"),
)
MARK = "tomas"
"""It stands in his addresses and names."""


async def _apply(pool: Pool, *bodies: bytes, policy: Policy = HELD) -> list[str]:
    events = [decode(make_record(body, event_id=new_event_id(), subject=TOMAS)) for body in bodies]
    return [each.outcome for each in await apply(pool, events, policy)]


def _life() -> list[bytes]:
    return [make_body(sample) for sample in LIFE]


def _deletion(at: int = 10**9) -> bytes:
    return user_event(TOMAS, at=at, kind="user.deleted")


async def _user(pool: Pool) -> dict[str, Any]:
    row = await pool.fetchrow("SELECT * FROM users WHERE clerk_id = $1", TOMAS)
    return dict(row or {})


async def _count(pool: Pool, table: str) -> int:
    column = await pool.fetchval(
        f"SELECT count(*) FROM {table} WHERE user_id = $1",  # noqa: S608  # our own names
        derive_id(TOMAS),
    )
    return int(column)


async def _dump(pool: Pool) -> str:
    """Return everything that every table holds, as text."""
    tables = ("users", "organizations", "events", *DEPENDENTS)
    rows = [await pool.fetch(f"SELECT t::text FROM {table} AS t") for table in tables]  # noqa: S608  # our own names
    return "\n".join(row[0] for found in rows for row in found)


@pytest.mark.parametrize("first", [True, False])
async def test_a_deletion_leaves_nothing_personal(pool: Pool, *, first: bool) -> None:
    """Whether it comes first or last: no row of any table tells more than that there was a user."""
    life = [_deletion(), *_life()] if first else [*_life(), _deletion()]
    await _apply(pool, *life, policy=Policy())
    dump = await _dump(pool)

    assert MARK not in dump.lower()
    assert [await _count(pool, table) for table in DEPENDENTS] == [0] * 5
    assert (await _user(pool))["status"] == "deleted"


async def test_the_ledger_names_an_erased_user_by_the_deletion_alone(pool: Pool) -> None:
    """Which events were whose is forgotten, what came before and what comes after."""
    await _apply(pool, *_life(), policy=Policy())
    await _apply(pool, _deletion(), policy=Policy())
    await _apply(pool, make_body("email.created"), *_life(), policy=Policy())
    named = await pool.fetch("SELECT type FROM events WHERE clerk_user_id = $1", TOMAS)

    assert [row["type"] for row in named] == ["user.deleted"]


async def test_an_erasure_waits_for_who_names_a_user_without_a_row(pool: Pool) -> None:
    """There is no row to lock: whoever comes and goes meanwhile is not named in the ledger."""
    naming, go_on = asyncio.Event(), asyncio.Event()

    async def pause(*_: object) -> None:
        naming.set()
        await go_on.wait()

    mention = decode(make_record(make_body("email.created"), subject=TOMAS))
    first = asyncio.create_task(apply(pool, [mention], before_commit=pause))
    await naming.wait()
    # Whose row is there before the erasure begins, and not when the other one looked.
    await _apply(pool, *_life(), policy=Policy())
    second = asyncio.create_task(_apply(pool, _deletion(), policy=Policy()))
    await until(lambda: _is_over_or_waits(pool, second), bool)
    go_on.set()
    await asyncio.gather(first, second)
    named = await pool.fetch("SELECT type FROM events WHERE clerk_user_id = $1", TOMAS)

    assert mention.clerk_user_id == TOMAS
    assert [row["type"] for row in named] == ["user.deleted"]


async def _is_over_or_waits(pool: Pool, task: asyncio.Task[list[str]]) -> bool:
    waits = await pool.fetchval(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    )
    return task.done() or bool(waits)


async def test_a_held_back_user_is_deleted_and_keeps_everything(pool: Pool) -> None:
    """Status and time say deleted; what a restoration needs is there, and goes on."""
    await _apply(pool, *_life())
    before = await _user(pool)
    outcomes = await _apply(pool, _deletion())
    await _apply(pool, user_event(TOMAS, at=10**9 + 5, first_name="Tom"))
    held = await _user(pool)

    assert outcomes == ["applied"]
    assert (held["status"], held["held_status"]) == ("deleted", "active")
    assert held["erase_at"] is not None
    assert (held["first_name"], held["email"]) == ("Tom", "nadia.quill@example.com")
    assert before["email"] == "tomas.verne@example.org"
    assert min([await _count(pool, table) for table in DEPENDENTS]) > 0


async def test_a_repeated_deletion_does_not_hold_back_longer(pool: Pool) -> None:
    """The first time it is seen counts."""
    await _apply(pool, *_life(), _deletion())
    first = await _user(pool)
    await _apply(pool, _deletion(), _deletion(2 * 10**9))

    assert (await _user(pool))["erase_at"] == first["erase_at"]


async def test_an_erasure_that_was_put_off_ends_like_one_at_once(pool: Pool) -> None:
    """When the time has come, nothing tells the two apart."""
    deletion = decode(make_record(_deletion(), event_id="msg_end", subject=TOMAS))
    await _apply(pool, *_life())
    await apply(pool, [deletion], Policy())
    at_once = await _user(pool)
    await pool.execute("TRUNCATE users, organizations, events CASCADE")
    await _apply(pool, *_life())
    await apply(pool, [deletion], HELD)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE users SET erase_at = NULL WHERE clerk_id = $1", TOMAS)
        await erase_users(connection, [derive_id(TOMAS)])

    assert await _user(pool) == at_once
    assert MARK not in (await _dump(pool)).lower()


async def test_a_restoration_voids_the_deletions_before_it(pool: Pool) -> None:
    """A replay of the deletion changes nothing; a later deletion does."""
    await _apply(pool, *_life())
    await pool.execute(
        "UPDATE users SET restored_at = to_timestamp($1) WHERE clerk_id = $2",
        (CREATED_MS + 10**9) / 1000,
        TOMAS,
    )
    void = await _apply(pool, _deletion())
    restored = await _user(pool)
    valid = await _apply(pool, _deletion(10**9 + 1))

    assert (void, restored["status"], valid) == (["stale"], "active", ["applied"])
    assert (await _user(pool))["status"] == "deleted"


async def test_a_deleted_organization_has_no_members(pool: Pool) -> None:
    """Neither early nor late ones; its users stay, and that they were invited."""
    await _apply(pool, *_life())
    await _apply(pool, make_body("organization.deleted"))
    late = await _apply(pool, make_body("organizationMembership.updated"))
    organization = await pool.fetchrow("SELECT * FROM organizations")

    assert late == ["stale"]
    assert organization is not None
    assert (organization["status"], organization["name"]) == ("deleted", None)
    assert await _count(pool, "organization_memberships") == 0
    assert await _count(pool, "organization_invitations") == 1
    assert (await _user(pool))["status"] == "active"
