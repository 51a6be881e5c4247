"""`/v1/events/{id}`: where one's own write has got to, waited for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from api import wait
from tests.integration.api.world import HELD, START, World

if TYPE_CHECKING:
    import asyncpg
    from aiohttp import ClientResponse

    from tests.integration.api.conftest import Client, Outbox, Users


@pytest.fixture
async def world(database: asyncpg.Connection[asyncpg.Record]) -> World:
    """Return what writes rows; two users are there, and who sees all."""
    world = World(database)
    await world.user("user_1")
    await world.user("user_2")
    await world.user("user_9", role="admin")
    return world


async def code(response: ClientResponse) -> str:
    """Return the code in the envelope."""
    return (await response.json())["error"]["code"]


async def test_what_became_of_a_command(client: Client, world: World) -> None:
    """To whom it is about, and with the reason to who sees all."""
    await world.event("cmd_1", "user_1", outcome="refused", reason="id: another's post")
    own = await client.get("/v1/events/cmd_1", by="user_1")
    full = await client.get("/v1/events/cmd_1", by="user_9")

    body = await own.json()
    assert body == {
        "event_id": "cmd_1",
        "type": "user.updated",
        "outcome": "refused",
        "occurred_at": "2026-01-01T00:00:00.000Z",
        "received_at": "2026-01-01T00:00:00.000Z",
        "applied_at": "2026-01-01T00:00:00.000Z",
    }
    assert await full.json() == body | {"reason": "id: another's post"}
    assert own.headers["ETag"] != full.headers["ETag"]


async def test_one_reads_ones_own_write_as_soon_as_it_is_recorded(
    client: Client, world: World, users: Users, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told of the change wakes who waits, however rare the looks are."""
    monkeypatch.setattr(wait, "POLL_S", 60.0)
    asked = asyncio.create_task(client.get("/v1/events/cmd_1", by="user_1", Prefer="wait=10"))
    await users.until_followed()
    assert not asked.done()
    started = time.monotonic()
    await world.event("cmd_1", "user_1", type="clerkwork.post.create")
    await outbox.tell("user_1", kind="clerkwork.post.created", key="post_1")
    response = await asked

    assert response.status == 200
    assert response.headers["Preference-Applied"] == "wait=10"
    assert (await response.json())["outcome"] == "applied"
    assert time.monotonic() - started < 8


async def test_what_is_told_to_nobody_is_found_too(client: Client, world: World) -> None:
    """Such as a command that was refused."""
    asked = asyncio.create_task(client.get("/v1/events/cmd_1", by="user_1", Prefer="wait=10"))
    await asyncio.sleep(0.3)
    started = time.monotonic()
    await world.event("cmd_1", "user_1", outcome="refused")
    response = await asked

    assert (response.status, (await response.json())["outcome"]) == (200, "refused")
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async", ""])
@pytest.mark.usefixtures("world")
async def test_who_does_not_want_to_wait_does_not(client: Client, prefer: str) -> None:
    """404 at once, and when to ask again."""
    started = time.monotonic()
    response = await client.get("/v1/events/cmd_1", by="user_1", Prefer=prefer)

    assert time.monotonic() - started < 4
    assert (response.status, await code(response)) == (404, "EVENT_NOT_FOUND")
    assert response.headers["Retry-After"] == "1"
    assert ("Preference-Applied" in response.headers) == (prefer == "wait=0")


async def test_what_is_about_others_is_waited_for_like_what_is_not_there(
    client: Client, world: World
) -> None:
    """As long, and with the same answer: how long it takes tells nothing either."""
    await world.event("msg_1", "user_2")
    started = time.monotonic()
    hidden = await client.get("/v1/events/msg_1", by="user_1", Prefer="wait=1")
    hidden_s = time.monotonic() - started
    nothing = await client.get("/v1/events/msg_2", by="user_1", Prefer="wait=1")

    assert 0.9 < hidden_s < 8
    assert (hidden.status, nothing.status) == (404, 404)
    assert hidden.headers.keys() == nothing.headers.keys()
    assert (await hidden.json())["error"]["message"] == (await nothing.json())["error"]["message"]


async def test_who_is_banned_while_waiting_is_told_so(client: Client, world: World) -> None:
    """What they waited for is nothing to them any more."""
    asked = asyncio.create_task(client.get("/v1/events/cmd_1", by="user_1", Prefer="wait=10"))
    await asyncio.sleep(0.3)
    async with world.connection.transaction():
        await world.connection.execute(
            "UPDATE users SET status = 'banned' WHERE clerk_id = 'user_1'"
        )
        await world.event("cmd_1", "user_1")
    response = await asked

    assert (response.status, await code(response)) == (403, "USER_BANNED")


async def test_an_event_that_could_be_read_later_is_told_of_as_that(
    client: Client, world: World
) -> None:
    """Not as what it was when it had no time of its own."""
    epoch = START.replace(year=1970)
    await world.event("msg_1", None, occurred_at=epoch, outcome="dead", reason="type: missing")
    await world.event("msg_1", "user_1")

    own = await client.get("/v1/events/msg_1", by="user_1")

    assert (await own.json())["outcome"] == "applied"


@pytest.mark.parametrize("route", ["", "/posts", "/data", "/sessions", "/history"])
async def test_whose_data_is_held_back_looks_erased(
    client: Client, world: World, route: str
) -> None:
    """To the byte, wherever one looks, so that nobody learns that it is there."""
    await world.user("user_3", **HELD)
    await world.post("user_3", "post")
    await world.data("user_3", "session_count", "7")
    await world.session("user_3", "sess_3")
    await world.event("msg_1", "user_3")
    await world.event("msg_2", "user_3", type="user.deleted")
    await world.event("look_1", "user_3", type="clerkwork.absence.user")
    path = f"/v1/users/user_3{route}"

    held = await client.get(path, by="user_9")
    for statement in (
        "DELETE FROM posts",
        "DELETE FROM user_data",
        "DELETE FROM sessions",
        """
        UPDATE events SET clerk_user_id = NULL
        WHERE type NOT IN ('user.deleted', 'clerkwork.absence.user')
        """,
        """
        UPDATE users SET email = NULL, first_name = NULL, created_at = NULL, erase_at = NULL,
            held_status = NULL, role = 'user',
            version = (extract(epoch FROM deleted_at) * 1000)::bigint
        WHERE clerk_id = 'user_3'
        """,
    ):
        await world.connection.execute(statement)
    erased = await client.get(path, by="user_9")

    assert held.status == 200
    assert await held.read() == await erased.read()
    assert held.headers["ETag"] == erased.headers["ETag"]
    assert b"Ada" not in await held.read()
