"""The cache over a real database: what it gives, to whom, and how soon a change is seen."""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp.test_utils import unused_port
from yarl import URL

from api.present import FULL, PUBLIC
from api.settings import ApiSettings
from schema.postgres.ids import derive_id
from tests.links import forwarding
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

    from tests.integration.api.conftest import Client, Outbox, Serve, Users

PATH: Final = "/v1/users/user_2"
END_TAIL: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'clerkwork-api-tail'
"""
CANARY: Final = "user_clerkwork-canary-1"


@pytest.fixture
def serve(serve: Serve) -> Serve:
    """Serve as an operator does who sets nothing: answers and standings are kept."""
    unset = ("api_cache_max_bytes", "api_standing_ttl_s")
    return partial(serve, **{name: ApiSettings.model_fields[name].default for name in unset})


@pytest.fixture
async def cached(serve: Serve, database_url: str, users: Users) -> AsyncIterator[Client]:
    """An API that follows the outbox, with user_2 in its cache."""
    async with serve(database_url, api_cache_warm=0) as client:
        await users.add("user_1")
        await users.add("user_2", first_name="0")
        await until(lambda: status_of(client), lambda status: status.startswith("clerkwork; hit"))
        yield client


async def status_of(client: Client, path: str = PATH) -> str:
    """Return where an answer is from."""
    return (await client.get(path, by="user_1")).headers.get("Cache-Status", "")


async def name_of(client: Client) -> str:
    """Return the name that is shown."""
    return (await (await client.get(PATH, by="user_1")).json())["first_name"]


async def rename(users: Users, outbox: Outbox, name: str) -> None:
    """Change a user as a worker does: the row and what is told of it in one transaction."""
    async with users.connection.transaction():
        await users.connection.execute(
            "UPDATE users SET first_name = $1 WHERE clerk_id = 'user_2'", name
        )
        await outbox.tell("user_2")


async def dropped(client: Client, reason: str) -> float:
    """Return how many entries were let go."""
    return await client.metric(f'clerkwork_cache_dropped_total{{reason="{reason}"}}')


async def test_a_public_profile_is_kept(cached: Client) -> None:
    """The answer is the same to the byte, and says where it is from."""
    hit = await cached.get(PATH, by="user_1")
    by_our_id = await cached.get(f"/v1/users/{derive_id('user_2')}", by="user_3")

    assert hit.status == 200
    assert set(await hit.json()) == set(PUBLIC)
    assert await by_our_id.read() == await hit.read()
    for response in (hit, by_our_id):
        assert response.headers["Cache-Status"].startswith("clerkwork; hit; ttl=")
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert response.headers["Vary"] == "Authorization, Cookie"
        assert response.headers["Age"]
        assert "Warning" not in response.headers
    assert await cached.metric("clerkwork_cache_entries") == 1


async def test_what_the_caller_has_already_is_not_sent(cached: Client) -> None:
    """304 from the cache."""
    etag = (await cached.get(PATH, by="user_1")).headers["ETag"]

    for sent in (etag, f'"x", W/{etag}', "*"):
        again = await cached.get(PATH, by="user_1", If_None_Match=sent)

        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
        assert again.headers["Cache-Status"].startswith("clerkwork; hit")
    assert not etag.startswith("W/")


async def test_what_only_one_may_see_is_not_from_the_cache(cached: Client, users: Users) -> None:
    """Nor is what is public given to who sees more."""
    await users.add("user_9", role="admin")

    for caller in ("user_2", "user_9"):
        response = await cached.get(PATH, by=caller)

        assert set(await response.json()) == set(FULL)
        assert "Cache-Status" not in response.headers
    assert await cached.metric("clerkwork_cache_entries") == 1


async def test_who_waits_for_a_version_is_answered_by_the_database(
    cached: Client, users: Users
) -> None:
    """Read your writes is not up to a notification."""
    await users.connection.execute("UPDATE users SET version = 7 WHERE clerk_id = 'user_2'")

    response = await cached.get(f"{PATH}?min_version=7", by="user_1")

    assert response.status == 200
    assert "Cache-Status" not in response.headers


async def test_who_is_not_there_is_not_kept(client: Client, users: Users) -> None:
    """The 404 ends when the user comes."""
    before = await client.get(PATH, by="user_1")
    await users.add("user_2")
    after = await client.get(PATH, by="user_1")

    assert (before.status, after.status) == (404, 200)


async def test_a_change_is_seen_within_milliseconds(
    cached: Client, users: Users, outbox: Outbox
) -> None:
    """From the commit to the first answer that shows it, while somebody always asks."""
    windows: list[float] = []
    for number in range(1, 101):
        await rename(users, outbox, str(number))
        committed = time.perf_counter()
        while await name_of(cached) != str(number):
            assert time.perf_counter() - committed < 20
        windows.append((time.perf_counter() - committed) * 1000)

    assert statistics.median(windows) < 200
    assert await dropped(cached, "change") >= 100


async def test_others_and_canaries_drop_nothing(
    cached: Client, users: Users, outbox: Outbox
) -> None:
    """Only what tells of the changed one is let go."""
    await outbox.tell("user_1")
    await outbox.tell("user_2", kind="clerkwork.canary")
    await users.add("user_3")
    await until(lambda: status_of(cached, "/v1/users/user_3"), lambda s: "hit" in s)
    await outbox.tell("user_3")
    await until(lambda: dropped(cached, "change"), lambda count: count == 1)

    assert await status_of(cached) != "clerkwork; fwd=miss; stored"


async def test_a_lost_connection_misses_nothing(
    cached: Client, users: Users, outbox: Outbox
) -> None:
    """What was told meanwhile is read on from where the tail was."""
    async with users.connection.transaction():
        await users.connection.execute(END_TAIL)
        await rename(users, outbox, "later")

    await until(lambda: name_of(cached), lambda name: name == "later", within_s=5)
    await until(lambda: status_of(cached), lambda status: "hit" in status)
    assert await dropped(cached, "tail_lost") <= 1


async def test_what_cannot_be_read_on_clears_all(
    cached: Client, users: Users, outbox: Outbox
) -> None:
    """As after an absence longer than the outbox keeps changes, or a restored backup."""
    async with users.connection.transaction():
        await users.connection.execute(END_TAIL)
        await users.connection.execute("UPDATE users SET first_name = 'restored'")
        await outbox.forget(await outbox.tell("user_3"))

    await until(lambda: name_of(cached), lambda name: name == "restored", within_s=5)
    await until(lambda: status_of(cached), lambda status: "hit" in status)
    assert await dropped(cached, "tail_lost") >= 1


async def test_while_the_database_is_away_old_answers_are_given(
    serve: Serve, database_url: str, users: Users
) -> None:
    """Marked as stale; what is not kept is a 503. Afterwards all is as before."""
    await users.add("user_2")
    url, port = URL(database_url), unused_port()
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with serve(proxied) as client:
        async with forwarding(port, url):
            await until(lambda: status_of(client), lambda status: "hit" in status)
        stale = await until_stale(client)
        other = await client.get("/v1/users/user_3", by="user_1")
        async with forwarding(port, url):
            fresh = await until(
                lambda: client.get(PATH, by="user_1"), lambda found: "Warning" not in found.headers
            )
        assert await stale.read() == await fresh.read()

    assert (stale.status, other.status) == (200, 503)
    assert stale.headers["Cache-Status"].startswith("clerkwork; hit; ttl=-")
    assert stale.headers["Warning"] == '110 - "Response is Stale"'
    assert int(stale.headers["Age"]) >= 0


async def test_while_the_database_hangs_old_answers_are_given(
    serve: Serve, database_url: str, users: Users
) -> None:
    """As after a network partition: nothing is refused, and nothing comes."""
    await users.add("user_2")
    url, port = URL(database_url), unused_port()
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with forwarding(port, url) as link, serve(proxied) as client:
        await until(lambda: status_of(client), lambda status: "hit" in status)
        link.clear()
        stale = await until_stale(client)
        link.set()
        fresh = await until(
            lambda: client.get(PATH, by="user_1"), lambda found: "Warning" not in found.headers
        )
        assert await stale.read() == await fresh.read()


async def until_stale(client: Client) -> ClientResponse:
    """Return the first answer that is marked; all before it are good."""
    return await until(
        lambda: client.get(PATH, by="user_1"),
        lambda found: found.status == 200 and "Warning" in found.headers,
    )


async def test_an_answer_too_old_is_none(serve: Serve, database_url: str, users: Users) -> None:
    """An operator can refuse to give any."""
    await users.add("user_2")
    url, port = URL(database_url), unused_port()
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with serve(proxied, api_cache_stale_s=0) as client:
        async with forwarding(port, url):
            await until(lambda: status_of(client), lambda status: "hit" in status)
        response = await until(
            lambda: client.get(PATH, by="user_1"), lambda found: found.status != 200
        )

    assert response.status == 503


async def test_it_is_warm_at_the_start(serve: Serve, database_url: str, users: Users) -> None:
    """The newest users, who wrote the newest posts, and the page of these; nobody had to ask."""
    for number in range(5):
        await users.add(f"user_{number}")
    await users.add("user_gone", status="deleted")

    async with serve(database_url, api_cache_warm=10) as client:
        await until(lambda: client.metric("clerkwork_cache_entries"), lambda count: count == 6)

        assert "hit" in await status_of(client, "/v1/users/user_3")
        assert "hit" in await status_of(client, "/v1/posts")


async def test_it_can_be_off(serve: Serve, database_url: str, users: Users) -> None:
    """Then each read is the database's, and nobody follows the outbox for it."""
    await users.add("user_2")

    async with serve(database_url, api_cache_max_bytes=0) as client:
        found = [await status_of(client) for _ in range(2)]
        await asyncio.sleep(0)

        assert found == ["clerkwork; fwd=miss"] * 2
        assert not await users.connection.fetchval(END_TAIL)
