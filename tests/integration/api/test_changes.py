"""`/v1/changes` in pages: who sees what, in which order, and from where on."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from api.page import encode_position
from api.read.changes import _SQL
from schema.kafka.changes import CANARY, POST_DELETED, POST_UPDATED, USER_DELETED
from schema.ops.settings import DatabaseSettings
from schema.postgres.ids import derive_id
from schema.postgres.pools import build_pool
from tests.factories import make_record, user_event
from workers.apply import Policy, apply
from workers.decode import decode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from aiohttp import ClientResponse

    from tests.integration.api.conftest import Client, Outbox, Users

    Pool = asyncpg.Pool[asyncpg.Record]

FIRST: Final = encode_position(0)
"""Where nothing had changed yet."""
LATER_S: Final = 3600


async def read(client: Client, since: str, *, by: str, limit: int = 100) -> dict[str, Any]:
    """Return a page."""
    response = await client.get(f"/v1/changes?since={since}&limit={limit}", by=by)
    assert response.status == 200, await response.text()
    return await response.json()


async def walk(client: Client, since: str, *, by: str, limit: int = 100) -> list[dict[str, Any]]:
    """Follow `next_cursor` until there is no more."""
    found, more = [], True
    while more:
        body = await read(client, since, by=by, limit=limit)
        found += body["data"]
        since, more = body["next_cursor"], body["more"]
    return found


@pytest.fixture
async def pool(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """The pool that a worker would use."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    async with build_pool(DatabaseSettings(), name="tests", min_size=0, max_size=2) as pool:
        yield pool


async def write(pool: Pool, *bodies: bytes, policy: Policy | None = None) -> None:
    """Apply events as a worker does."""
    await apply(pool, [decode(make_record(body)) for body in bodies], policy or Policy())


@pytest.mark.parametrize("query", ["", "?since=now", "?since=now&limit=1"])
async def test_now_is_where_to_begin(
    client: Client, users: Users, outbox: Outbox, query: str
) -> None:
    """An empty page and a cursor: what changes afterwards comes after it, and nothing before."""
    await users.add("user_1")
    await outbox.tell()

    response = await client.get(f"/v1/changes{query}", by="user_1")
    body = await response.json()
    position = await outbox.tell()

    assert response.headers["Cache-Control"] == "no-store"
    assert (body["data"], body["more"]) == ([], False)
    (change,) = await walk(client, body["next_cursor"], by="user_1")
    assert change["sequence"] == position


async def test_a_change_says_what_it_is(client: Client, outbox: Outbox) -> None:
    """The state as it was told, to the digit; when; and its place among all changes."""
    state = {"schema_version": 1, "public_metadata": {"n": 12345678901234567890}}
    position = await outbox.tell(state=state)

    body = await read(client, FIRST, by="user_1")

    (change,) = body["data"]
    occurred_at = datetime.fromisoformat(change.pop("occurred_at"))
    assert abs(occurred_at.timestamp() * 1_000_000 - position) < 1000
    assert change == {
        "type": "clerkwork.user.updated",
        "id": "user_1",
        "sequence": position,
        "state": state,
    }
    assert body["next_cursor"] == encode_position(position)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_session_that_has_ended_reads_no_changes(
    client: Client, users: Users, accept: str
) -> None:
    """Its token is good for some seconds still; neither a page nor a stream is given for it."""
    await users.add("user_1")
    await users.connection.execute(
        """
        INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at,
            version, version_timestamp, version_event_id)
        VALUES ($1, 'sess_1', $2, 'revoked', now(), now(), 1, 1, 'msg_1')
        """,
        *(derive_id("sess_1"), derive_id("user_1")),
    )

    response = await client.get("/v1/changes", by="user_1", Accept=accept)
    error = (await response.json())["error"]

    assert response.status == 401
    assert error["details"] == {"reason": "session_ended"}


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("by", ["user_1", "user_9"])
async def test_pages_are_in_order_and_miss_nothing(
    client: Client, users: Users, outbox: Outbox, limit: int, by: str
) -> None:
    """For those who see some and for administrators, who see all; each change once."""
    await users.add("user_9", role="admin")
    expected = []
    for number in range(12):
        owner = f"user_{number % 3}"
        public = number % 4 == 0
        position = await outbox.tell(owner, kind=POST_UPDATED, public=public, state={})
        if by == "user_9" or public or owner == by:
            expected.append(position)

    found = await walk(client, FIRST, by=by, limit=limit)

    assert [change["sequence"] for change in found] == expected


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("user_1", {"own", "public"}),
        ("user_2", {"others", "public"}),
        ("user_9", {"own", "others", "public"}),
        ("user_0", {"public"}),
    ],
)
async def test_who_sees_what(
    client: Client, users: Users, outbox: Outbox, by: str, expected: set[str]
) -> None:
    """One's own, and what everyone may read; administrators all; nobody the canary."""
    await users.add("user_1")
    await users.add("user_2")
    await users.add("user_9", role="admin")
    await outbox.tell("user_1", key="own", state={})
    await outbox.tell("user_2", key="others", state={})
    await outbox.tell("user_2", key="public", kind=POST_UPDATED, public=True, state={})
    for owner in ("user_clerkwork-canary", "user_1", "user_2"):
        await outbox.tell(owner, key="canary", kind=CANARY, public=owner == "user_2")

    found = await walk(client, FIRST, by=by)

    assert {change["id"] for change in found} == expected


async def test_without_a_token_nothing_is_told(client: Client) -> None:
    """401, also where the cursor is wrong."""
    for query in ("", "?since=x"):
        assert (await client.get(f"/v1/changes{query}")).status == 401


@pytest.mark.parametrize("status", ["banned", "deleted", "deprovisioned"])
async def test_who_was_shut_out_is_told_nothing(
    client: Client, users: Users, outbox: Outbox, status: str
) -> None:
    """Although the token is good for another minute, and whatever the role was."""
    await users.add("user_1", status=status, role="admin")
    await outbox.tell()

    response = await client.get(f"/v1/changes?since={FIRST}", by="user_1")

    assert (response.status, await code(response)) == (403, f"USER_{status.upper()}")


async def test_a_cursor_outlives_what_does_not_concern_the_caller(
    client: Client, users: Users, outbox: Outbox
) -> None:
    """Who saw nothing for a week can still go on: the cursor moved with the others' changes."""
    await users.add("user_1")
    start = await client.cursor(by="user_1")
    position = await outbox.tell("user_2", state={})

    body = await read(client, start, by="user_1")
    await outbox.forget(position)
    after = await outbox.tell("user_1", state={})

    assert (body["data"], body["more"]) == ([], False)
    (change,) = await walk(client, body["next_cursor"], by="user_1")
    assert change["sequence"] == after


async def test_a_cursor_expires_when_something_after_it_is_forgotten(
    client: Client, outbox: Outbox
) -> None:
    """410 says what to do; the last position that is forgotten is still a place to go on from."""
    positions = [await outbox.tell() for _ in range(3)]
    await outbox.forget(positions[1])

    expired = await client.get(f"/v1/changes?since={encode_position(positions[0])}", by="user_1")
    (change,) = await walk(client, encode_position(positions[1]), by="user_1")

    assert (expired.status, await code(expired)) == (410, "CURSOR_EXPIRED")
    assert "since=now" in (await expired.json())["error"]["message"]
    assert change["sequence"] == positions[2]


async def test_a_cursor_of_a_lost_history_has_expired(client: Client, outbox: Outbox) -> None:
    """Given before the database was restored from a backup: the client must begin anew too."""
    await outbox.tell()
    now = int(time.time() * 1_000_000)

    response = await client.get(f"/v1/changes?since={encode_position(now)}", by="user_1")

    assert (response.status, await code(response)) == (410, "CURSOR_EXPIRED")


@pytest.mark.parametrize(
    ("query", "expected", "field"),
    [
        ("since=", "INVALID_CURSOR", "since"),
        ("since=0", "INVALID_CURSOR", "since"),
        (f"since={FIRST}=", "INVALID_CURSOR", "since"),
        (f"since={FIRST}&since={FIRST}", "DUPLICATE_PARAMETER", "since"),
        ("since=now&limit=0", "INVALID_LIMIT", "limit"),
        ("limit=101", "INVALID_LIMIT", "limit"),
        ("cursor=abc", "UNKNOWN_PARAMETER", "cursor"),
    ],
)
async def test_a_bad_query_is_refused(
    client: Client, query: str, expected: str, field: str
) -> None:
    """Garbage, and parameters of the lists; naming the parameter."""
    response = await client.get(f"/v1/changes?{query}", by="user_1")

    error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, expected)
    assert error["details"] == {"field": field}


async def test_a_cursor_of_the_future_is_refused(client: Client) -> None:
    """Nobody was given it."""
    later = encode_position(int((time.time() + LATER_S) * 1_000_000))

    response = await client.get(f"/v1/changes?since={later}", by="user_1")

    error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, "INVALID_CURSOR")
    assert error["details"] == {"field": "since"}


async def test_what_workers_write_is_told(client: Client, users: Users, pool: Pool) -> None:
    """Created, changed, deleted; what others cannot see tells nothing, an erasure leaves null."""
    await users.add("user_9", role="admin")
    start = await client.cursor(by="user_9")
    await write(pool, user_event("user_1", at=0, kind="user.created", first_name="Ada"))
    await write(pool, user_event("user_1", at=10, first_name="Grace"))
    await write(pool, user_event("user_1", at=20, first_name="Grace"))

    told = await walk(client, start, by="user_9")
    own = await walk(client, start, by="user_1")
    await write(pool, user_event("user_1", at=30, kind="user.deleted"))
    left = await walk(client, start, by="user_9")

    assert own == told
    assert [(each["type"], each["state"]["first_name"]) for each in told] == [
        ("clerkwork.user.created", "Ada"),
        ("clerkwork.user.updated", "Grace"),
    ]
    assert [each["sequence"] == each["state"]["sequence"] for each in told] == [True, True]
    assert [(each["type"], each["id"], each["state"]) for each in left] == [
        (USER_DELETED, "user_1", None)
    ]


async def test_of_whom_data_is_held_back_nothing_is_shown(
    client: Client, users: Users, pool: Pool, outbox: Outbox
) -> None:
    """Neither to administrators nor of what was public: it is as gone as it will be."""
    await users.add("user_9", role="admin")
    await users.add("user_2")
    start = await client.cursor(by="user_9")
    await write(pool, user_event("user_1", at=0, kind="user.created"))
    await outbox.tell("user_1", key="post", kind=POST_UPDATED, public=True, state={"title": "x"})
    await outbox.tell("user_1", key="post", kind=POST_DELETED, public=True)
    hold = Policy(erase_after=timedelta(days=1))
    await write(pool, user_event("user_1", at=10, kind="user.deleted"), policy=hold)

    shown = [(change["type"], change["state"]) for change in await walk(client, start, by="user_9")]
    public = [change["id"] for change in await walk(client, start, by="user_2")]

    assert shown == [(POST_DELETED, None), (USER_DELETED, None)]
    assert public == ["post"]


@pytest.mark.parametrize(
    ("by", "indexes"),
    [
        ("user_1", {"outbox_owner_position_idx", "outbox_public_position_idx"}),
        ("user_9", {"outbox_pkey"}),
    ],
)
async def test_a_page_reads_what_it_shows(users: Users, by: str, indexes: set[str]) -> None:
    """Not others' changes, however many there are, and whichever plan PostgreSQL caches."""
    await users.add("user_1")
    await users.add("user_9", role="admin")
    await users.connection.execute("""
        INSERT INTO users (id, clerk_id, status)
        SELECT gen_random_uuid(), 'user_x' || n, 'active' FROM generate_series(1, 2000) AS n
    """)
    await users.connection.execute("""
        INSERT INTO outbox (position, topic, key, type, owner, public, state)
        SELECT n, 'user.changes', 'k', 'clerkwork.user.updated',
            CASE WHEN n % 100 = 0 THEN 'user_1' ELSE 'user_x' || n % 2000 END, n % 70 = 0, '{}'
        FROM generate_series(1, 20000) AS n
    """)
    await users.connection.execute("ANALYZE")

    for mode in ("force_custom_plan", "force_generic_plan"):
        await users.connection.execute(f"SET plan_cache_mode = {mode}")
        plan = await users.connection.fetchval(
            f"EXPLAIN (ANALYZE, COSTS off, FORMAT json) {_SQL['read_changes'].sql}",
            *(derive_id(by), by, 10_000, 21),
        )
        scans = [
            node
            for node in nodes(json.loads(plan)[0]["Plan"])
            if node["Actual Loops"] and node.get("Relation Name") in {"users", "outbox"}
        ]

        # One row of outbox_pkey is how far the outbox reaches.
        assert indexes == {
            node["Index Name"]
            for node in scans
            if node["Relation Name"] == "outbox" and node["Actual Rows"] > 1
        }
        assert all(node["Actual Rows"] <= 21 for node in scans)
        assert not [node for node in scans if node.get("Rows Removed by Filter")]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return `plan` and all nodes below it."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def code(response: ClientResponse) -> str:
    """Return the code in the envelope."""
    return (await response.json())["error"]["code"]
