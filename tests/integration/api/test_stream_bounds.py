"""Streams of changes are bounded, and over when they must be."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp.test_utils import unused_port
from yarl import URL

from api.database import QUERY_S
from schema.http.tokens.claims import LEEWAY_S
from schema.kafka.changes import POST_UPDATED
from schema.ops.settings import DatabaseSettings
from schema.postgres.pools import build_pool
from tests.factories import make_record, user_event
from tests.links import forwarding
from tests.waiting import until
from workers.apply import apply
from workers.decode import decode

if TYPE_CHECKING:
    from tests.integration.api.conftest import Client, Event, Outbox, Serve, Users

OPEN: Final = "clerkwork_change_streams"


def ended(reason: str) -> str:
    """Return the series that counts streams that ended so."""
    return f'clerkwork_change_streams_ended_total{{reason="{reason}"}}'


async def test_a_stream_ends_with_its_token(client: Client, outbox: Outbox) -> None:
    """Its client is told, and comes back with a new token and the last id."""
    token = client.token("user_1", exp=int(time.time()) - LEEWAY_S + 4)  # enough to begin
    async with client.stream(by="user_1", token=token) as stream:
        await stream.begun()
        last = await stream.end()
        start = stream.last_id
    position = await outbox.tell()
    async with client.stream(by="user_1", Last_Event_ID=start) as stream:
        (event,) = await stream.take(1)

    assert last["code"] == "TOKEN_EXPIRED"
    assert event.sequence == position
    assert await client.metric(ended("token_expired")) == 1


async def test_a_ban_ends_the_stream_at_once(
    client: Client, users: Users, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change that bans passes by here too; the next heartbeat is a quarter minute away."""
    await users.add("user_1")
    monkeypatch.setenv("DATABASE_URL", database_url)
    async with (
        build_pool(DatabaseSettings(), name="tests", min_size=0, max_size=1) as pool,
        client.stream(by="user_1") as stream,
    ):
        await stream.begun()
        await apply(pool, [decode(make_record(user_event("user_1", at=1, banned=True)))])
        started = time.monotonic()
        last = await stream.end()

    assert last["code"] == "USER_BANNED"
    assert time.monotonic() - started < 12


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("status = 'banned'", "USER_BANNED"),
        ("status = 'deleted', deleted_at = now()", "USER_DELETED"),
        ("status = 'deprovisioned'", "USER_DEPROVISIONED"),
        ("role = 'admin'", "ROLE_CHANGED"),
    ],
)
async def test_rights_are_looked_at_again(
    serve: Serve, database_url: str, users: Users, change: str, code: str
) -> None:
    """At every heartbeat, also where nothing was told of the caller."""
    await users.add("user_1")
    async with (
        serve(database_url, api_stream_heartbeat_s=0.2) as client,
        client.stream(by="user_1") as stream,
    ):
        await stream.begun()
        await users.connection.execute(f"UPDATE users SET {change}")  # noqa: S608 - the test's own
        last = await stream.end()

        assert last["code"] == code
        assert await client.metric(ended(code.lower())) == 1


async def test_who_takes_nothing_is_dropped_and_others_go_on(
    serve: Serve, database_url: str, users: Users, outbox: Outbox
) -> None:
    """A clear last event for the slow one, every change for the fast one; no memory for either."""
    await users.add("user_9", role="admin")
    async with (
        serve(database_url, api_stream_patience_s=0.5, api_stream_buffer=20) as client,
        client.stream(by="user_9") as slow,
        client.stream(by="user_9") as fast,
    ):
        await slow.begun()
        await fast.begun()
        reading = asyncio.create_task(_read_until_told(fast, "end of test"))
        expected = []
        while not await client.metric(ended("slow_client")):
            expected.append(await outbox.tell(state={"text": "x" * 200_000}))
        last = await slow.end()
        expected.append(await outbox.tell(key="end of test", state={}))
        found = await reading

    assert last["code"] == "SLOW_CLIENT"
    assert [event.sequence for event in found] == expected


async def _read_until_told(stream: Any, key: str) -> list[Event]:
    found = []
    async for event in stream:
        if event.type:
            found.append(event)
            if event.data["id"] == key:
                break
    return found


async def test_streams_are_bounded(serve: Serve, database_url: str) -> None:
    """For each caller and in all; a place is free again as soon as its client has gone."""
    async with serve(database_url, api_streams=3, api_streams_per_user=2) as client:

        async def ask(by: str) -> tuple[int, str]:
            response = await client.get("/v1/changes", by=by, Accept="text/event-stream")
            assert response.headers["Retry-After"]
            return response.status, (await response.json())["error"]["code"]

        async with client.stream(by="user_1"), client.stream(by="user_1"):
            assert await ask("user_1") == (429, "TOO_MANY_STREAMS")
            async with client.stream(by="user_2"):
                assert await ask("user_3") == (503, "STREAMS_EXHAUSTED")
        await until(lambda: client.metric(OPEN), lambda count: count == 0, within_s=5)
        async with client.stream(by="user_3"):
            assert await client.metric(OPEN) == 1

        assert await client.metric(ended("client_gone")) == 3


async def test_a_hundred_streams_need_one_connection(
    client: Client, users: Users, outbox: Outbox
) -> None:
    """And every change is read once for all of them."""
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(client.stream(by=f"user_{number % 50}"))
            for number in range(100)
        ]
        for stream in streams:
            await stream.begun()
        position = await outbox.tell(kind=POST_UPDATED, public=True, state={})
        found = await asyncio.gather(*(stream.take(1) for stream in streams))
        connections = await users.connection.fetch("""
            SELECT application_name AS name, count(*) AS count,
                count(*) FILTER (WHERE state = 'active') AS active
            FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'clerkwork-api%'
            GROUP BY 1
        """)

    assert [event.sequence for (event,) in found] == [position] * 100
    counts = {row["name"]: (row["count"], row["active"]) for row in connections}
    assert counts["clerkwork-api-tail"][0] == 1
    assert counts["clerkwork-api"][1] == 0  # those of the pool are free for requests


async def test_a_stream_outlives_a_database_that_is_away(
    serve: Serve, database_url: str, outbox: Outbox
) -> None:
    """It says that it is there, and what changed meanwhile comes when the database is back."""
    url = URL(database_url)
    port = unused_port()
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with serve(proxied, api_stream_heartbeat_s=0.3) as client, AsyncExitStack() as stack:
        async with forwarding(port, url):
            # Entered over a link that it outlives.
            stream = await stack.enter_async_context(client.stream(by="user_1"))
            await stream.begun()
            expected = [await outbox.tell()]
            found = await stream.take(1)
        assert (await client.get("/v1/changes", by="user_1")).status == 503
        expected.append(await outbox.tell())
        await stream.begun()
        await stream.begun()
        async with forwarding(port, url):
            found += await stream.take(1)
            expected.append(await outbox.tell())
            found += await stream.take(1)

    assert [event.sequence for event in found] == expected


async def test_a_stream_outlives_a_database_that_hangs(
    serve: Serve, database_url: str, users: Users, outbox: Outbox
) -> None:
    """Connections that fall silent, as after a network partition, are given up for new ones."""
    url = URL(database_url)
    port = unused_port()
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with (
        forwarding(port, url) as link,
        serve(proxied, api_stream_heartbeat_s=0.3) as client,
        client.stream(by="user_1") as stream,
    ):
        await stream.begun()
        await users.until_followed()
        link.clear()
        position = await outbox.tell()
        async with asyncio.timeout(2.8):
            await stream.begun()
            await stream.begun()
        await asyncio.sleep(QUERY_S + 1)  # longer than any answer is waited for
        link.set()
        (event,) = await stream.take(1)

    assert event.sequence == position


async def test_a_stream_does_not_wait_for_a_database_for_ever(
    serve: Serve, database_url: str, users: Users
) -> None:
    """Then its client knows that it knows nothing."""
    url = URL(database_url)
    port = unused_port()
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with serve(proxied, api_stream_outage_s=1) as client, AsyncExitStack() as stack:
        async with forwarding(port, url):
            # Entered over a link that it outlives.
            stream = await stack.enter_async_context(client.stream(by="user_1"))
            await stream.begun()
            await users.until_followed()
        last = await stream.end()

    assert last["code"] == "DATABASE_UNAVAILABLE"
