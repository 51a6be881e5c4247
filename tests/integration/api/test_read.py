"""`/v1/users`: pages, and the plan behind them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api.present import FULL, PUBLIC
from api.read.users import _SQL
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from tests.integration.api.conftest import Client, Users

START = datetime(2026, 1, 1, tzinfo=UTC)


async def walk(client: Client, *, by: str, limit: int) -> list[list[str]]:
    """Follow `next_cursor` to the end and return the Clerk ids of each page."""
    pages, cursor = [], ""
    while True:
        response = await client.get(f"/v1/users?limit={limit}{cursor}", by=by)
        assert response.status == 200
        body = await response.json()
        pages.append([user["clerk_id"] for user in body["data"]])
        if body["next_cursor"] is None:
            return pages
        cursor = f"&cursor={body['next_cursor']}"


async def test_pages_come_newest_first_and_end(client: Client, users: Users) -> None:
    """Every user once, also where many were created in the same instant."""
    for number in range(10):
        await users.add(f"user_{number}", created_at=START + timedelta(seconds=number // 3))
    expected = sorted(
        (f"user_{number}" for number in range(10)),
        key=lambda clerk_id: (int(clerk_id[5:]) // 3, derive_id(clerk_id).bytes),
        reverse=True,
    )

    for limit in (1, 3, 5, 10, 100):
        pages = await walk(client, by="user_1", limit=limit)

        assert [clerk_id for page in pages for clerk_id in page] == expected
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]


async def test_an_empty_list_is_a_list(client: Client) -> None:
    """Nobody there yet, not even the caller."""
    response = await client.get("/v1/users", by="user_1")

    assert await response.json() == {"data": [], "next_cursor": None}


async def test_twenty_unless_asked_otherwise(client: Client, users: Users) -> None:
    """The default limit."""
    for number in range(21):
        await users.add(f"user_{number}")

    body = await (await client.get("/v1/users", by="user_1")).json()

    assert len(body["data"]) == 20
    assert body["next_cursor"]


async def test_only_the_living_are_listed(client: Client, users: Users) -> None:
    """Also for administrators: tombstones have no place in the order."""
    await users.add("user_1", role="admin")
    await users.add("user_2", status="banned")
    await users.add("user_3", status="pending", created_at=None)
    await users.add("user_4", status="deleted")

    (page,) = await walk(client, by="user_1", limit=100)

    assert set(page) == {"user_1", "user_2"}


async def test_a_list_shows_of_each_what_the_caller_may_see(client: Client, users: Users) -> None:
    """Oneself in full, others in public; administrators see all of all."""
    await users.add("user_1")
    await users.add("user_2")
    await users.add("user_3", role="admin")

    async def fields(by: str) -> dict[str, set[str]]:
        body = await (await client.get("/v1/users", by=by)).json()
        return {user["clerk_id"]: set(user) for user in body["data"]}

    assert await fields("user_1") == {
        "user_1": set(FULL),
        "user_2": set(PUBLIC),
        "user_3": set(PUBLIC),
    }
    assert set(map(frozenset, (await fields("user_3")).values())) == {frozenset(FULL)}


async def test_a_cursor_outlives_its_row(client: Client, users: Users) -> None:
    """Deletions and arrivals between two pages neither repeat nor skip anyone who stays."""
    for number in range(6):
        await users.add(f"user_{number}", created_at=START + timedelta(seconds=number))
    first = await (await client.get("/v1/users?limit=2", by="user_0")).json()
    await users.connection.execute("DELETE FROM users WHERE clerk_id = 'user_4'")
    await users.add("user_9", created_at=START + timedelta(seconds=9))

    second = await client.get(f"/v1/users?limit=2&cursor={first['next_cursor']}", by="user_0")

    assert [user["clerk_id"] for user in (await second.json())["data"]] == ["user_3", "user_2"]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=0", "INVALID_LIMIT", "limit"),
        ("limit=101", "INVALID_LIMIT", "limit"),
        ("limit=", "INVALID_LIMIT", "limit"),
        ("limit=5&limit=6", "DUPLICATE_PARAMETER", "limit"),
        ("cursor=abc", "INVALID_CURSOR", "cursor"),
        ("cursor=%FF%00", "INVALID_CURSOR", "cursor"),
        ("offset=5", "UNKNOWN_PARAMETER", "offset"),
        ("%FF=", "UNKNOWN_PARAMETER", None),
    ],
)
async def test_a_bad_query_is_refused(
    client: Client, query: str, code: str, field: str | None
) -> None:
    """Naming the parameter."""
    response = await client.get(f"/v1/users?{query}", by="user_1")

    error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, code)
    assert field is None or error["details"] == {"field": field}


@pytest.mark.parametrize("continued", [False, True])
async def test_a_page_reads_the_index_and_not_the_table(users: Users, *, continued: bool) -> None:
    """However deep the page and whichever plan PostgreSQL caches."""
    await users.connection.execute("""
        INSERT INTO users (id, clerk_id, status, created_at)
        SELECT gen_random_uuid(), 'user_' || n,
            CASE WHEN n % 10 = 0 THEN 'deleted' ELSE 'active' END, now() - n * interval '1 min'
        FROM generate_series(1, 5000) AS n
    """)
    await users.connection.execute("ANALYZE users")
    after = [START + timedelta(days=10_000), derive_id("user_1")] if continued else [None, None]

    for mode in ("force_custom_plan", "force_generic_plan"):
        await users.connection.execute(f"SET plan_cache_mode = {mode}")
        plan = await users.connection.fetchval(
            f"EXPLAIN (ANALYZE, COSTS off, FORMAT json) {_SQL['list_users'].sql}",
            *after,
            21,
        )
        (scan,) = scans(json.loads(plan)[0]["Plan"], index="users_created_at_id_idx")

        assert "ROW(created_at, id) <" in scan["Index Cond"]
        assert scan["Actual Rows"] == 21
        assert "Seq Scan" not in plan


def scans(plan: dict[str, Any], *, index: str) -> list[dict[str, Any]]:
    """Return the nodes of `plan` that scan `index`."""
    below = [node for child in plan.get("Plans", ()) for node in scans(child, index=index)]
    return [plan, *below] if plan.get("Index Name") == index else below
