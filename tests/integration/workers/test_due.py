"""What is derived after a batch is all that was due: deriving everything anew adds nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from schema.postgres.ids import derive_id
from tests.factories import make_body, make_record, user_event
from workers.apply import Policy, apply
from workers.decode import decode
from workers.derive import EVERYTHING, derive_user_data
from workers.project.users import UserRow

if TYPE_CHECKING:
    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]

KINDS = (
    *("user.created", "user.updated", "session.created", "session.ended"),
    *("organizationMembership.created", "organizationInvitation.accepted"),
)
NAMES = ("Ada", "Ada", "Grace", "Grace", "Ada")
ORDERS = ((0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3), (4, 0, 1, 3, 2), (1, 4, 0, 2, 3))


async def _derive_all(pool: Pool) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """Return user_data as it is, and as it is once everything is derived anew."""
    async with pool.acquire() as connection:
        before = await connection.fetch("TABLE user_data ORDER BY user_id, key")
        users = await connection.fetch("SELECT id FROM users")
        due = {row["id"]: EVERYTHING for row in users}
        await derive_user_data(connection, due, history_limit=Policy().history_limit)
        return before, await connection.fetch("TABLE user_data ORDER BY user_id, key")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("restored", [True, False])
async def test_the_first_event_derives_everything(pool: Pool, kind: str, *, restored: bool) -> None:
    """Also of who has a row already, as those have whom a rebuild begins with."""
    body = make_body(kind)
    record = make_record(body)
    if restored:
        event = decode(record)
        users = {row.clerk_id for row in event.rows if isinstance(row, UserRow)}
        for user in users:
            await pool.execute(
                "INSERT INTO users (id, clerk_id, restored_at) VALUES ($1, $2, now())",
                derive_id(user),
                user,
            )
    await apply(pool, [decode(record)])
    before, after = await _derive_all(pool)

    assert len(before) >= 4
    assert before == after


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_name_is_news_in_whatever_order(
    pool: Pool, order: tuple[int, ...], size: int
) -> None:
    """Names that come back, between others, before them and after, one by one or together."""
    told = [decode(make_record(user_event("user_1", at=at, first_name=NAMES[at]))) for at in order]
    for start in range(0, len(told), size):
        await apply(pool, told[start : start + size])
        before, after = await _derive_all(pool)
        assert before == after
    history = await pool.fetchval("SELECT value FROM user_data WHERE key = 'name_history'")

    assert history.count("Grace") == 1
    assert history.count("Ada") == 2


@pytest.mark.parametrize("hold", [timedelta(0), timedelta(hours=1)])
async def test_who_is_new_and_gone_in_one_batch_has_what_is_due(
    pool: Pool, hold: timedelta
) -> None:
    """Nothing once they are erased; beside them somebody who stays, and one who is only named."""
    bodies = [
        user_event("user_1", at=1),
        make_body("user.deleted", id="user_1"),
        user_event("user_2", at=1),
        make_body("organizationMembership.created"),
    ]
    events = [decode(make_record(body, offset=at)) for at, body in enumerate(bodies)]
    await apply(pool, events, Policy(erase_after=hold))
    before, after = await _derive_all(pool)
    keys = await pool.fetchval(
        "SELECT count(*) FROM user_data WHERE user_id = $1", derive_id("user_1")
    )

    assert before == after
    assert bool(keys) == bool(hold)
