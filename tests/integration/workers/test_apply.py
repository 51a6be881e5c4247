"""Applying batches to a real PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import CREATED_MS, make_record, new_user_id, user_event
from workers.apply import apply
from workers.decode import Event, decode
from workers.retry import NotNowError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]

LATER = ("created_at", "applied_at")


def _event(body: bytes, event_id: str, **place: Any) -> Event:
    return decode(make_record(body, event_id=event_id, **place))


def _history(user_id: str) -> list[Event]:
    """Return a life: created, renamed, active, renamed late, deleted."""
    bodies = [
        user_event(user_id, at=0, kind="user.created", first_name="One"),
        user_event(user_id, at=10, first_name="Two", last_active_at=CREATED_MS + 500),
        user_event(user_id, at=20, first_name="Three", last_active_at=CREATED_MS + 100),
        user_event(user_id, at=20, first_name="Three again"),
        user_event(user_id, at=15, kind="user.deleted"),
    ]
    return [_event(body, f"{user_id}_{n}", offset=n) for n, body in enumerate(bodies)]


async def _users(pool: Pool, ids: Iterable[str]) -> list[dict[str, Any]]:
    rows = await pool.fetch(
        "SELECT * FROM users WHERE clerk_id = ANY($1::text[]) ORDER BY clerk_id", list(ids)
    )
    return [dict(row) for row in rows]


async def _outcomes(pool: Pool) -> dict[str, str]:
    rows = await pool.fetch("SELECT event_id, outcome FROM events")
    return {row["event_id"]: row["outcome"] for row in rows}


async def test_a_created_user_is_a_row(pool: Pool) -> None:
    """One event, one row, one line in the ledger."""
    user_id = new_user_id()
    [applied] = await apply(pool, [_event(user_event(user_id, at=0), "msg_1")])
    [row] = await _users(pool, [user_id])

    assert applied.outcome == "applied"
    assert (row["first_name"], row["status"]) == ("Nadia", "active")
    assert await _outcomes(pool) == {"msg_1": "applied"}


@pytest.mark.parametrize("length", [3, 4])
async def test_every_order_ends_in_the_same_row(pool: Pool, length: int) -> None:
    """Every permutation of a life, its events one by one or in one batch, gives the same row."""
    ends = set()
    for permutation in itertools.permutations(range(length)):
        for batches in ([[n] for n in permutation], [list(permutation)]):
            await pool.execute("TRUNCATE users, events CASCADE")
            history = _history("user_of_many_lives")
            for batch in batches:
                await apply(pool, [history[n] for n in batch])
            [row] = await _users(pool, ["user_of_many_lives"])
            ends.add(str(row))

    assert len(ends) == 1


async def test_a_repetition_changes_nothing(pool: Pool) -> None:
    """The same batch again leaves rows and ledger as they were."""
    history = _history(new_user_id())
    await apply(pool, history)
    before = await pool.fetch("SELECT u::text, e::text FROM users u, events e ORDER BY 1, 2")
    again = await apply(pool, history)
    after = await pool.fetch("SELECT u::text, e::text FROM users u, events e ORDER BY 1, 2")

    assert {each.outcome for each in again} == {"stale"}
    assert before == after


async def test_a_deletion_that_comes_first_is_a_tombstone(pool: Pool) -> None:
    """Nothing that arrives after a deletion resurrects the user, however new it claims to be."""
    user_id = new_user_id()
    await apply(pool, [_event(user_event(user_id, at=5, kind="user.deleted"), "msg_1")])
    [late] = await apply(pool, [_event(user_event(user_id, at=10**9), "msg_2")])
    [row] = await _users(pool, [user_id])

    assert late.outcome == "stale"
    assert row["status"] == "deleted"
    assert row["email"] is None


async def test_an_old_snapshot_still_tells_the_latest_activity(pool: Pool) -> None:
    """Activity does not move updated_at: the maximum over all snapshots counts."""
    user_id = new_user_id()
    newer = user_event(user_id, at=10, last_active_at=CREATED_MS + 1)
    older = user_event(user_id, at=5, last_active_at=CREATED_MS + 9, first_name="Old")
    await apply(pool, [_event(newer, "msg_1")])
    await apply(pool, [_event(older, "msg_2")])
    [row] = await _users(pool, [user_id])

    assert row["first_name"] == "Nadia"
    assert row["last_active_at"].timestamp() * 1000 == CREATED_MS + 9


async def test_an_email_can_change_hands(pool: Pool) -> None:
    """Clerk gives a deleted user's address to a new one: no constraint stands in the way."""
    events = [_event(user_event(new_user_id(), at=0), f"msg_{n}") for n in range(2)]
    applied = await apply(pool, events)

    assert [each.outcome for each in applied] == ["applied", "applied"]


REFUSED = "Zoe"
"""A name that the operator of these tests has forbidden."""


@pytest.fixture
async def picky(pool: Pool) -> Pool:
    """A database with a constraint that nobody told us of: such events only PostgreSQL refuses."""
    await pool.execute(
        "ALTER TABLE users ADD CONSTRAINT no_zoe CHECK (first_name <> $clerkwork$Zoe$clerkwork$)"
    )
    return pool


@pytest.mark.parametrize("bad", [{0}, {3}, {7}, {0, 3, 7}, set(range(8))])
async def test_a_bad_event_is_dead_alone(picky: Pool, bad: set[int]) -> None:
    """What PostgreSQL refuses is set aside wherever it stands in the batch; the rest is applied."""
    ids = [new_user_id() for _ in range(8)]
    names = [REFUSED if n in bad else "Ada" for n in range(8)]
    bodies = [user_event(ids[n], at=0, first_name=names[n]) for n in range(8)]
    applied = await apply(picky, [_event(body, f"msg_{n}") for n, body in enumerate(bodies)])
    outcomes = ["dead" if n in bad else "applied" for n in range(8)]

    assert [each.outcome for each in applied] == outcomes
    assert await _outcomes(picky) == {f"msg_{n}": outcome for n, outcome in enumerate(outcomes)}
    assert len(await _users(picky, ids)) == 8 - len(bad)


async def test_the_reason_of_a_dead_event_quotes_no_value(picky: Pool) -> None:
    """The ledger has SQLSTATE and constraint, never PostgreSQL's message."""
    event = _event(user_event(new_user_id(), at=0, first_name=REFUSED), "msg_1")
    await apply(picky, [event])
    reason = await picky.fetchval("SELECT reason FROM events")

    assert reason == "CheckViolationError (SQLSTATE 23514) at no_zoe"


UNHOLDABLE: dict[str, dict[str, Any]] = {
    "$.data.first_name": {"first_name": "a\x00b"},
    "$.data.last_name": {"last_name": "\ud800"},
    "$.data.image_url": {"image_url": "x" * 10_000_000},
    "$.data.public_metadata.*": {"public_metadata": {"n": "HUGE"}},
    "$.data.updated_at": {"updated_at": 10**15},
}


async def test_what_postgresql_cannot_hold_is_dead_alone_and_named(pool: Pool) -> None:
    """Field and reason stand in the ledger; the others of the batch are applied."""
    users = [new_user_id() for _ in UNHOLDABLE]
    bodies = [
        user_event(new_user_id(), at=0, **data).replace(b'"HUGE"', b"1e140000")
        for data in UNHOLDABLE.values()
    ]
    good = [user_event(user_id, at=0) for user_id in users]
    events = [_event(body, f"msg_{n}") for n, body in enumerate([*bodies, *good])]
    applied = await apply(pool, events)
    reasons = await pool.fetch("SELECT reason FROM events WHERE outcome = 'dead' ORDER BY event_id")

    assert [each.outcome for each in applied] == ["dead"] * 5 + ["applied"] * 5
    assert [row["reason"].partition(": ")[0] for row in reasons] == list(UNHOLDABLE)
    assert len(await _users(pool, users)) == 5


async def test_a_dead_event_that_is_mended_is_dead_no_more(picky: Pool) -> None:
    """A replay that can be applied replaces the ledger's verdict; the reverse never happens."""
    user_id = new_user_id()
    good, bad = (
        _event(user_event(user_id, at=0), "msg_1"),
        _event(user_event(user_id, at=0, first_name=REFUSED), "msg_1"),
    )
    await apply(picky, [bad])
    await apply(picky, [good])
    await apply(picky, [bad])

    assert await _outcomes(picky) == {"msg_1": "applied"}


async def test_a_missing_table_is_not_the_events_fault(pool: Pool) -> None:
    """A migration that was forgotten makes the worker wait, and applies nothing."""
    await pool.execute("ALTER TABLE events RENAME TO forgotten")
    with pytest.raises(NotNowError):
        await apply(pool, _history(new_user_id()))

    assert await pool.fetchval("SELECT count(*) FROM users") == 0


async def test_two_workers_on_the_same_users_end_alike(pool: Pool) -> None:
    """A zombie and its successor apply the same events at once, in opposite orders."""
    ids = [new_user_id() for _ in range(20)]
    events = [event for user_id in ids for event in _history(user_id)]
    for _ in range(5):
        await asyncio.gather(apply(pool, events), apply(pool, events[::-1]))
    rows = await _users(pool, ids)

    assert {row["status"] for row in rows} == {"deleted"}
    assert await pool.fetchval("SELECT count(*) FROM events") == len(events)
