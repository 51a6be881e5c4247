"""`min_version` and `Prefer: wait`: who has written reads what was written, or is told when not."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp.test_utils import unused_port
from yarl import URL

from api import wait
from schema.ops.settings import DatabaseSettings
from schema.postgres.ids import derive_id
from schema.postgres.pools import build_pool
from tests.factories import CREATED_MS, make_record, user_event
from tests.links import forwarding
from workers.apply import apply
from workers.decode import decode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiohttp import ClientResponse

    from tests.integration.api.conftest import Client, Serve, Users

    Write = Callable[[bytes], Awaitable[Any]]

PATHS: Final = ("/v1/me", "/v1/users/user_1", f"/v1/users/{derive_id('user_1')}")


@pytest.fixture
async def write(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Write]:
    """Apply an event as a worker does."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    async with build_pool(DatabaseSettings(), name="tests", min_size=0, max_size=1) as pool:
        yield lambda body: apply(pool, [decode(make_record(body))])


async def code(response: ClientResponse) -> str:
    """Return the code in the envelope."""
    return (await response.json())["error"]["code"]


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_there_already_is_not_waited_for(
    client: Client, users: Users, path: str
) -> None:
    """The same answer as without; a preference without a version is none of ours."""
    await users.add("user_1", version=1000)
    plain = await client.get(path, by="user_1", Prefer="wait=5")
    asked = await client.get(f"{path}?min_version=1000", by="user_1", Prefer="wait=5")

    assert await asked.read() == await plain.read()
    assert asked.headers["ETag"] == plain.headers["ETag"]
    assert asked.headers["Preference-Applied"] == "wait=5"
    assert "Preference-Applied" not in plain.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("known", [False, True])
async def test_a_write_is_read_as_soon_as_it_is_committed(
    client: Client,
    users: Users,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    *,
    known: bool,
) -> None:
    """Also of a user who is not there yet. The change itself wakes, however rare the looks are."""
    monkeypatch.setattr(wait, "POLL_S", 60.0)
    if known:
        await users.add("user_1", version=1)
    asked = asyncio.create_task(
        client.get(f"{path}?min_version={CREATED_MS + 5}", by="user_1", Prefer="wait=10")
    )
    await users.until_followed()
    await write(user_event("user_1", at=4, first_name="Too early"))
    await asyncio.sleep(0.1)
    assert not asked.done()
    started = time.monotonic()
    await write(user_event("user_1", at=5, first_name="Grace"))
    response = await asked

    assert response.status == 200
    assert (await response.json())["first_name"] == "Grace"
    assert time.monotonic() - started < 4.5


async def test_what_others_cannot_see_is_waited_for_too(client: Client, users: Users) -> None:
    """Nobody is told of it, so that only looking finds it."""
    await users.add("user_1", version=1)
    asked = asyncio.create_task(client.get("/v1/me?min_version=2", by="user_1"))
    await asyncio.sleep(0.3)
    started = time.monotonic()
    await users.connection.execute("UPDATE users SET version = 2")
    response = await asked

    assert (response.status, (await response.json())["version"]) == (200, 2)
    assert time.monotonic() - started < 4.5


@pytest.mark.parametrize(("by", "status"), [("user_1", 403), ("user_2", 404), ("user_9", 200)])
async def test_nothing_newer_comes_of_who_is_deleted(
    client: Client, users: Users, write: Write, by: str, status: int
) -> None:
    """The wait is over at once, with what is told of the deleted."""
    await users.add("user_1", version=1)
    await users.add("user_9", role="admin")
    path = f"/v1/users/user_1?min_version={CREATED_MS * 2}"
    asked = asyncio.create_task(client.get(path, by=by, Prefer="wait=10"))
    await asyncio.sleep(0.1)
    await write(user_event("user_1", at=5, kind="user.deleted"))
    async with asyncio.timeout(8):
        response = await asked

    assert response.status == status


@pytest.mark.parametrize("known", [False, True])
async def test_a_wait_is_bounded(client: Client, users: Users, *, known: bool) -> None:
    """504 in the envelope, with nothing of the user; and when to ask again."""
    if known:
        await users.add("user_2", version=123_456)
    started = time.monotonic()
    response = await client.get(
        "/v1/users/user_2?min_version=200000", by="user_1", Prefer="respond-async, WAIT=1"
    )

    assert 0.9 < time.monotonic() - started < 8
    assert (response.status, await code(response)) == (504, "VERSION_NOT_REACHED")
    assert response.headers["Preference-Applied"] == "wait=1"
    assert response.headers["Retry-After"] == "1"
    assert "123456" not in await response.text()
    assert (await response.json())["error"]["details"] == {"min_version": 200000}
    outcome = 'clerkwork_version_waits_total{outcome="not_reached"}'
    assert await client.metric(outcome) == 1


@pytest.mark.parametrize("path", ["/v1/me", "/v1/users/user_1"])
@pytest.mark.parametrize("value", ["", "-1", "1.5", "9007199254740993", "9" * 400, "x"])
async def test_a_bad_version_is_refused(client: Client, path: str, value: str) -> None:
    """Naming the parameter."""
    response = await client.get(f"{path}?min_version={value}", by="user_1")

    error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, "INVALID_MIN_VERSION")
    assert error["details"] == {"field": "min_version"}


async def test_a_misspelt_parameter_is_not_ignored(client: Client) -> None:
    """Who wrote it would take what is old for what is new."""
    response = await client.get("/v1/me?minversion=1", by="user_1")

    assert (response.status, await code(response)) == (400, "UNKNOWN_PARAMETER")


async def test_who_waits_holds_no_connection(serve: Serve, database_url: str, users: Users) -> None:
    """More wait than the pool has connections, and others are answered at once."""
    await users.add("user_0", version=1)
    async with serve(database_url, api_version_waits=60) as client:
        path = "/v1/users/user_0?min_version=2"
        asked = [
            asyncio.create_task(client.get(path, by=f"user_{number % 4}", Prefer="wait=10"))
            for number in range(61)
        ]
        refused = await next(asyncio.as_completed(asked))  # so that all others wait
        async with asyncio.timeout(8):
            others = await asyncio.gather(*(client.get("/v1/me", by="user_0") for _ in range(20)))
        await users.connection.execute("UPDATE users SET version = 2")
        found = await asyncio.gather(*asked)

    assert {response.status for response in others} == {200}
    assert (refused.status, await code(refused)) == (503, "WAITS_EXHAUSTED")
    assert Counter(response.status for response in found) == {200: 60, 503: 1}


async def test_nobody_takes_all_places(client: Client, users: Users) -> None:
    """One caller's waits are bounded, so that others can wait."""
    await users.add("user_1", version=1)
    path = "/v1/me?min_version=2"
    asked = [
        asyncio.create_task(client.get(path, by="user_1", Prefer="wait=10")) for _ in range(22)
    ]
    answered = asyncio.as_completed(asked)
    refused = [await next(answered) for _ in range(2)]
    other = await client.get("/v1/users/user_1?min_version=2", by="user_2", Prefer="wait=0")
    await users.connection.execute("UPDATE users SET version = 2")
    found = await asyncio.gather(*asked)

    assert [await code(response) for response in refused] == ["TOO_MANY_WAITS"] * 2
    assert all(response.headers["Retry-After"] for response in refused)
    assert await code(other) == "VERSION_NOT_REACHED"
    assert Counter(response.status for response in found) == {200: 20, 429: 2}


async def test_a_database_that_goes_and_comes_back_only_delays(
    serve: Serve, database_url: str, users: Users
) -> None:
    """Within the time that the caller gave; else it is the database that is to blame."""
    await users.add("user_1", version=1)
    url = URL(database_url)
    port = unused_port()
    path = "/v1/me?min_version=2"
    async with serve(str(url.with_host("127.0.0.1").with_port(port))) as client:
        async with forwarding(port, url):
            asked = asyncio.create_task(client.get(path, by="user_1", Prefer="wait=10"))
            short = asyncio.create_task(client.get(path, by="user_1", Prefer="wait=1"))
            await users.until_followed()
        failed = await short
        await users.connection.execute("UPDATE users SET version = 2")
        async with forwarding(port, url):
            response = await asked

    assert (failed.status, await code(failed)) == (503, "DATABASE_UNAVAILABLE")
    assert response.status == 200
