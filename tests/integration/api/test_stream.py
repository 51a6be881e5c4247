"""`/v1/changes` as a stream: complete, in order, and to whom it concerns."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from api import follow
from api.page import encode_position
from schema.kafka.changes import CANARY, POST_UPDATED
from schema.ops.settings import DatabaseSettings
from schema.postgres.pools import build_pool
from tests.factories import make_record, user_event
from workers.apply import apply
from workers.decode import decode

if TYPE_CHECKING:
    import asyncpg

    from tests.integration.api.conftest import Client, Event, Outbox, Serve, Users

FIRST: Final = encode_position(0)
SEED: Final = 20261121


async def test_a_stream_is_what_browsers_understand(client: Client, outbox: Outbox) -> None:
    """Its type, nothing that keeps or collects it on the way, and when to come back."""
    position = await outbox.tell(state={"first_name": "Ada\nLovelace"})
    async with client.stream(by="user_1", since=FIRST, X_Request_ID="request-0001") as stream:
        headers = stream.response.headers
        first = await stream.response.content.readline()
        (event,) = await stream.take(1)

    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Request-ID"] == "request-0001"
    assert "Content-Encoding" not in headers
    assert first.startswith(b"retry: ")
    page = await (await client.get(f"/v1/changes?since={FIRST}", by="user_1")).json()
    assert (event.id, event.type, event.data) == (
        encode_position(position),
        "clerkwork.user.updated",
        page["data"][0],
    )


async def test_line_breaks_in_a_state_do_not_break_the_stream(
    client: Client, outbox: Outbox
) -> None:
    """JSON may have them between its tokens."""
    position = await outbox.tell(state={})
    await outbox.connection.execute("UPDATE outbox SET state = E'{\\n\"a\":\\r\\n1}'")
    async with client.stream(by="user_1", since=FIRST) as stream:
        (event,) = await stream.take(1)

    assert (event.sequence, event.data["state"]) == (position, {"a": 1})


@pytest.mark.parametrize("by", ["user_1", "user_9"])
async def test_it_catches_up_and_then_follows(
    client: Client, users: Users, outbox: Outbox, by: str
) -> None:
    """Several pages of the past, then what comes; each once and in order."""
    await users.add("user_9", role="admin")
    expected = [await outbox.tell(state={}) for _ in range(250)]
    async with client.stream(by=by, since=FIRST) as stream:
        found = await stream.take(250)
        expected += [await outbox.tell(state={}) for _ in range(5)]
        found += await stream.take(5)

    assert [event.sequence for event in found] == expected


async def test_a_change_is_there_at_once(
    client: Client, users: Users, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database wakes the stream, however rarely it looks by itself."""
    monkeypatch.setattr(follow, "POLL_S", 60.0)
    async with client.stream(by="user_1") as stream:
        await stream.begun()
        await users.until_followed()
        started = time.monotonic()
        await outbox.tell()
        await stream.take(1)

    assert time.monotonic() - started < 20


async def test_what_nobody_was_notified_of_is_found(client: Client, outbox: Outbox) -> None:
    """A notification can be lost with its connection."""
    async with client.stream(by="user_1") as stream:
        await stream.begun()
        await outbox.connection.execute("""
            INSERT INTO outbox (position, topic, key, type, owner)
            SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 'user.changes',
                'user_1', 'clerkwork.user.updated', 'user_1'
        """)
        (event,) = await stream.take(1)

    assert event.data["id"] == "user_1"


async def test_the_last_event_id_wins(client: Client, outbox: Outbox) -> None:
    """Browsers come back to the same address, with the id of what they saw last."""
    positions = [await outbox.tell() for _ in range(3)]
    last = encode_position(positions[1])
    for since in ("now", FIRST):
        async with client.stream(by="user_1", since=since, Last_Event_ID=last) as stream:
            (event,) = await stream.take(1)

        assert event.sequence == positions[2]


async def test_a_stream_that_saw_nothing_can_be_resumed(
    client: Client, users: Users, outbox: Outbox
) -> None:
    """Its place is said at the beginning, and moves on with what others are told."""
    await users.add("user_1")
    async with client.stream(by="user_1") as stream:
        await stream.begun()
        start = stream.last_id
    position = await outbox.tell()
    async with client.stream(by="user_1", Last_Event_ID=start) as stream:
        (event,) = await stream.take(1)

    assert event.sequence == position


async def test_a_quiet_stream_says_how_far_it_is(
    serve: Serve, database_url: str, outbox: Outbox
) -> None:
    """Heartbeats; their id moves on, so that a place does not expire for lack of events."""
    async with (
        serve(database_url, api_stream_heartbeat_s=0.2) as client,
        client.stream(by="user_1") as stream,
    ):
        await stream.begun()
        position = await outbox.tell("user_2")
        async with asyncio.timeout(30):
            async for event in stream:
                assert event.type is None
                if event.id == encode_position(position):
                    break


async def test_who_sees_what(client: Client, users: Users, outbox: Outbox) -> None:
    """One's own, and what everyone may read; administrators all; nobody the canary."""
    await users.add("user_9", role="admin")
    expected = {
        "user_1": ["own", "public", "last"],
        "user_2": ["public", "others", "last"],
        "user_9": ["own", "public", "others", "last"],
    }
    async with AsyncExitStack() as stack:
        streams = {by: await stack.enter_async_context(client.stream(by=by)) for by in expected}
        for stream in streams.values():
            await stream.begun()
        await outbox.tell("user_clerkwork-canary", key="canary", kind=CANARY)
        await outbox.tell("user_1", key="own", state={})
        await outbox.tell("user_3", key="public", kind=POST_UPDATED, public=True, state={})
        await outbox.tell("user_2", key="others", state={})
        await outbox.tell("user_3", key="last", kind=POST_UPDATED, public=True, state={})
        found = {
            by: [event.data["id"] for event in await stream.take(len(expected[by]))]
            for by, stream in streams.items()
        }

    assert found == expected


async def test_what_is_wrong_is_said_before_the_stream_begins(
    client: Client, users: Users, outbox: Outbox
) -> None:
    """With a status, so that a browser's EventSource does not come back for ever."""
    await users.add("user_2", status="banned")
    positions = [await outbox.tell() for _ in range(2)]
    await outbox.forget(positions[1])
    old = encode_position(positions[0])

    async def ask(by: str | None, **headers: str) -> tuple[int, str, Any]:
        response = await client.get("/v1/changes", by=by, Accept="text/event-stream", **headers)
        error = (await response.json())["error"]
        return response.status, error["code"], error.get("details")

    assert await ask("user_1", Last_Event_ID=old) == (410, "CURSOR_EXPIRED", None)
    assert await ask("user_2") == (403, "USER_BANNED", None)
    assert (await ask(None))[:2] == (401, "UNAUTHENTICATED")
    assert await ask("user_1", Last_Event_ID="x") == (
        400,
        "INVALID_CURSOR",
        {"field": "Last-Event-ID"},
    )


async def test_a_head_request_streams_nothing(client: Client) -> None:
    """It would wait for ever for a body that it must not have."""
    async with asyncio.timeout(10):
        response = await client.get(
            "/v1/changes", by="user_1", method="HEAD", Accept="text/event-stream"
        )

    assert (response.status, response.content_type) == (200, "application/json")


async def test_a_burst_is_no_reason_to_be_dropped(
    serve: Serve, database_url: str, users: Users, outbox: Outbox
) -> None:
    """What does not fit into the buffer is read from the database."""
    await users.add("user_9", role="admin")
    async with (
        serve(database_url, api_stream_buffer=3) as client,
        client.stream(by="user_9") as stream,
    ):
        await stream.begun()
        await outbox.connection.execute("""
            INSERT INTO outbox (position, topic, key, type, owner)
            SELECT n, 'user.changes', 'user_1', 'clerkwork.user.updated', 'user_1'
            FROM generate_series(1, 1000) AS n
        """)
        await outbox.connection.execute("NOTIFY clerkwork_outbox, '1000'")
        found = await stream.take(1000)

    assert [event.sequence for event in found] == list(range(1, 1001))


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
async def test_who_comes_back_misses_nothing_and_sees_nothing_twice(
    serve: Serve, database_url: str, users: Users, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever is cut and whenever, while several workers write and the buffer overflows."""
    dice = random.Random(seed)  # noqa: S311 - repeatable
    await users.add("user_9", role="admin")
    monkeypatch.setenv("DATABASE_URL", database_url)
    async with (
        serve(database_url, api_stream_buffer=5) as client,
        build_pool(DatabaseSettings(), name="tests", min_size=0, max_size=3) as pool,
    ):
        start = await client.cursor(by="user_9")
        writers = [
            asyncio.create_task(_write(pool, random.Random(seed + number), number))  # noqa: S311 - the same
            for number in range(3)
        ]
        writing = asyncio.gather(*writers)
        found: list[int] = []
        last_id = start
        async with asyncio.timeout(120):
            while not (writing.done() and await _is_all(users, found)):
                async with client.stream(by="user_9", since=start, Last_Event_ID=last_id) as stream:
                    for _ in range(dice.randrange(1, 60)):
                        event = await _next(stream)
                        if event is None:
                            break
                        last_id = event.id
                        if event.type:
                            found.append(event.sequence)
        await writing
        told = await users.connection.fetch("SELECT position FROM outbox ORDER BY position")

    assert found == [row["position"] for row in told]
    assert len(found) > 300


async def _next(stream: Any) -> Event | None:
    try:
        async with asyncio.timeout(0.5):
            async for event in stream:
                return event
    except TimeoutError:
        pass
    return None


async def _is_all(users: Users, found: list[int]) -> bool:
    return len(found) >= await users.connection.fetchval("SELECT count(*) FROM outbox")


async def _write(pool: asyncpg.Pool[asyncpg.Record], dice: random.Random, number: int) -> None:
    for at in range(60):
        bodies = [
            user_event(f"user_{number}{dice.randrange(10)}", at=at, first_name=str(dice.random()))
            for _ in range(dice.randrange(1, 5))
        ]
        await apply(pool, [decode(make_record(body)) for body in bodies])
        await asyncio.sleep(dice.random() / 50)
