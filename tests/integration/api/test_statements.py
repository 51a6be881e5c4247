"""What a request costs the database: how many statements, and which plans they have."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

from api.read import PLANNER, events, posts, sessions
from api.read.awaited import _SQL as AWAITED
from api.read.data import _SQL as DATA
from api.read.organizations import _SQL as ORGANIZATIONS
from schema.postgres.ids import derive_id, derive_post_id
from tests.integration.api.world import START, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.api.conftest import Serve

ROUTES: Final = {
    "/v1/me": "user_1",
    "/v1/users?limit=100": "user_1",
    "/v1/users/user_1": "user_2",
    "/v1/users/user_1/posts?limit=100": "user_2",
    "/v1/users/user_1/data": "user_1",
    "/v1/users/user_1/sessions?limit=100": "user_1",
    "/v1/users/user_1/history?limit=100": "user_1",
    "/v1/posts?limit=100": "user_2",
    f"/v1/posts/{derive_post_id('user_1', 'post_1')}": "user_2",
    "/v1/organizations/org_1": "user_1",
    "/v1/events/msg_1": "user_1",
}
"""Path -> who asks."""


@dataclass
class Meter:
    """Counts what the driver sends."""

    sent: list[str] = field(default_factory=list)

    async def watch(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Count the statements of a new connection, but not what resets it for the next user."""
        connection.add_query_logger(self._note)

    def _note(self, query: Any) -> None:
        if "pg_advisory_unlock_all" not in query.query:
            self.sent.append(query.query)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    """Watch every connection of pools that are opened from now on."""
    meter = Meter()
    create = asyncpg.create_pool
    monkeypatch.setattr(
        asyncpg, "create_pool", lambda *args, **options: create(*args, init=meter.watch, **options)
    )
    return meter


async def grow(world: World, numbers: range) -> None:
    """Insert a user for each number, and as much of everything that user_1 has."""
    for number in numbers:
        await world.user(f"user_{number}")
        await world.post(f"user_{number}", f"post_{number}")
        if number > 1:
            await world.post("user_1", f"post_{number}")
        await world.session("user_1", f"sess_{number}")
        await world.event(f"msg_{number}", "user_1")
        await world.organization(f"org_{number}")
        await world.membership("user_1", f"org_{number}")
        if number > 1:
            await world.membership(f"user_{number}", "org_1")


async def test_a_page_of_a_hundred_costs_what_one_row_costs(
    serve: Serve, database_url: str, database: asyncpg.Connection[asyncpg.Record], meter: Meter
) -> None:
    """One statement for the answer, and at most one for the standing of the caller."""
    world = World(database)
    await grow(world, range(1, 3))
    await world.data("user_1", "session_count", "1")
    costs: dict[str, list[int]] = {path: [] for path in ROUTES}
    async with serve(database_url) as client:
        for numbers in (range(0), range(3, 101)):
            await grow(world, numbers)
            for path, caller in ROUTES.items():
                meter.sent.clear()
                response = await client.get(path, by=caller)
                assert response.status == 200
                costs[path].append(len(meter.sent))
                if numbers and "limit" in path:
                    assert len((await response.json())["data"]) == 100

    assert {path: cost for path, cost in costs.items() if cost[0] < cost[1]} == {}
    assert {path: cost for path, cost in costs.items() if not 1 <= cost[1] <= 2} == {}


USER: Final = derive_id("user_1")
UUID_PLACE: Final = (START + timedelta(hours=12), derive_id("x"))
TEXT_PLACE: Final = (START + timedelta(hours=12), "msg_x")
BEGINNING: Final = (None, None)
PLANS: Final = {
    "posts": (posts._SQL["list_posts"], (), UUID_PLACE, "posts_created_at_id_idx"),
    "published posts": (
        posts._SQL["list_published_posts"],
        (),
        UUID_PLACE,
        "posts_published_created_at_id_idx",
    ),
    "posts of a user": (
        posts._SQL["list_posts_of"],
        (USER,),
        UUID_PLACE,
        "posts_user_id_created_at_id_idx",
    ),
    "published posts of a user": (
        posts._SQL["list_published_posts_of"],
        (USER,),
        UUID_PLACE,
        "posts_published_user_id_created_at_id_idx",
    ),
    "sessions": (
        sessions._SQL["list_sessions"],
        (USER,),
        UUID_PLACE,
        "sessions_user_id_created_at_id_idx",
    ),
    "history": (
        events._SQL["list_events_of"],
        (USER,),
        TEXT_PLACE,
        "clerk_user_id_occurred_at_idx",
    ),
}


@pytest.fixture(scope="module")
async def crowded(shared_database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to a database with enough rows that scanning a table would not pay."""
    connection = await asyncpg.connect(shared_database_url, server_settings=dict(PLANNER))
    world = World(connection)
    await world.user("user_1")
    await world.organization("org_1")
    await connection.execute("""
        INSERT INTO users (id, clerk_id, status, created_at)
        SELECT gen_random_uuid(), 'user_x' || n,
            CASE WHEN n % 10 = 0 THEN 'deleted' ELSE 'active' END, now() - n * interval '1 min'
        FROM generate_series(1, 5000) AS n
    """)
    people = "SELECT array_agg(id) FROM users WHERE clerk_id <> 'user_1' AND status = 'active'"
    others = await connection.fetchval(people)
    mine = "CASE WHEN n % 10 = 0 THEN $1::uuid ELSE ($2::uuid[])[1 + n % 4500] END"
    when = "'2026-01-01T00:00:00Z'::timestamptz + n * interval '3 seconds'"
    await connection.execute(
        f"""
        INSERT INTO posts (id, user_id, title, status, created_at, updated_at, deleted_at)
        SELECT gen_random_uuid(), {mine}, 'x',
            CASE WHEN n % 7 = 0 THEN 'draft' ELSE 'published' END, {when}, {when},
            CASE WHEN n % 11 = 0 THEN now() END
        FROM generate_series(1, 20000) AS n
        """,  # noqa: S608 - expressions of this test
        USER,
        others,
    )
    await connection.execute(
        f"""
        INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at)
        SELECT gen_random_uuid(), 'sess_' || n, {mine}, 'active', {when}, {when}
        FROM generate_series(1, 20000) AS n
        """,  # noqa: S608 - expressions of this test
        USER,
        others,
    )
    await connection.execute(
        f"""
        INSERT INTO events (event_id, occurred_at, type, clerk_user_id, received_at, applied_at,
            outcome, topic, partition, "offset")
        SELECT 'msg_' || n, {when}, 'user.updated',
            CASE WHEN n % 10 = 0 THEN 'user_1' ELSE 'user_x' || (n % 4500) END,
            now(), now(), 'applied', 'clerk.user-events', 0, n
        FROM generate_series(1, 20000) AS n
        """  # noqa: S608 - expressions of this test
    )
    await connection.execute(
        """
        INSERT INTO organization_memberships
            (id, clerk_id, organization_id, user_id, role, created_at, updated_at)
        SELECT gen_random_uuid(), 'orgmem_' || n, $1, person, 'org:member', now(), now()
        FROM unnest($2::uuid[]) WITH ORDINALITY AS people (person, n)
        """,
        derive_id("org_1"),
        others,
    )
    await connection.execute("""
        INSERT INTO organizations (id, clerk_id) SELECT gen_random_uuid(), 'org_x' || n
        FROM generate_series(1, 5000) AS n
    """)
    await connection.execute("""
        INSERT INTO user_data (user_id, key, value)
        SELECT id, key, '1' FROM users, unnest('{session_count, preferences}'::text[]) AS key
    """)
    await connection.execute("VACUUM ANALYZE")
    yield connection
    await connection.close()


async def explain(
    connection: asyncpg.Connection[asyncpg.Record], statement: str, *arguments: object, mode: str
) -> dict[str, Any]:
    """Run a statement, and return the plan it had."""
    await connection.execute(f"SET plan_cache_mode = {mode}")
    plan = await connection.fetchval(
        f"EXPLAIN (ANALYZE, COSTS off, FORMAT json) {statement}", *arguments
    )
    return json.loads(plan)[0]["Plan"]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes of a plan."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


def scanned(plan: dict[str, Any]) -> set[str]:
    """Return the tables that are read whole; a month without a row is as fast to scan as not."""
    whole = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    return {node["Relation Name"] for node in whole if node["Actual Rows"]}


def touched(plan: dict[str, Any]) -> int:
    """Return how many rows all scans of a plan have looked at."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if "Scan" in node["Node Type"]
    )


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("continued", [False, True])
@pytest.mark.parametrize("name", PLANS)
async def test_a_page_reads_an_index_from_its_place_on(
    crowded: asyncpg.Connection[asyncpg.Record], name: str, mode: str, *, continued: bool
) -> None:
    """However many rows there are, however deep the page, and whichever plan is cached."""
    statement, owner, place, index = PLANS[name]
    after = place if continued else BEGINNING
    plan = await explain(crowded, statement.sql, *owner, *after, 21, mode=mode)
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}

    assert scanned(plan) == set()
    assert any(each.endswith(index) for each in used), used
    assert plan["Actual Rows"] == 21
    assert touched(plan) < 200


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_single_resources_are_found_by_key(
    crowded: asyncpg.Connection[asyncpg.Record], mode: str
) -> None:
    """A member of a large organization among their own memberships, not among its members."""
    post = await crowded.fetchval("SELECT id FROM posts LIMIT 1")
    member = await crowded.fetchval("SELECT user_id FROM organization_memberships LIMIT 1")
    for statement, arguments in (
        (posts._SQL["read_post"], [post]),
        (DATA["read_data"], [member]),
        (ORGANIZATIONS["read_organization"], [derive_id("org_1"), member]),
        (events._SQL["read_event"], ["msg_7"]),
        (AWAITED["read_awaited"], [[member], ["msg_7", "msg_8"]]),
    ):
        plan = await explain(crowded, statement.sql, *arguments, mode=mode)

        assert scanned(plan) == set()
        assert touched(plan) < 20, statement.name
