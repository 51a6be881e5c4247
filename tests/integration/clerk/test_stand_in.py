"""The stand-in pages, filters, orders, limits and refuses as Clerk says that it does."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import jwt
import pytest
from aiohttp.test_utils import unused_port

from deploy.errors import OperatorError
from deploy.standin.app import LIVE_KEY, TEST_KEY, running_stand_in
from deploy.standin.serve import serve_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import BEGINNING_MS, World
from deploy.terminal import open_console
from deploy.tokens import mint_token, new_private_key
from schema.http.tokens.keys import parse_jwks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Get = Callable[..., Awaitable[tuple[int, Any]]]


@contextlib.asynccontextmanager
async def _getting(world: World, trouble: Trouble | None = None) -> AsyncIterator[Get]:
    async with running_stand_in(world, trouble) as url, aiohttp.ClientSession() as session:

        async def get(path: str, key: str = LIVE_KEY, **headers: str) -> tuple[int, Any]:
            said = {"Authorization": f"Bearer {key}"} | headers
            async with session.get(url + path, headers=said) as response:
                return response.status, await response.json()

        yield get


@pytest.fixture(scope="module")
def crowd() -> World:
    """Enough for some pages."""
    world = World()
    world.populate(users=60)
    return world


@pytest.fixture(scope="module")
async def get(crowd: World) -> AsyncIterator[Get]:
    """Ask about the crowd."""
    async with _getting(crowd) as get:
        yield get


async def _ids(get: Get, path: str) -> list[str]:
    status, body = await get(path)
    assert status == 200
    return [each["id"] for each in body]


async def test_ten_of_the_latest_come_unless_asked_otherwise(get: Get, crowd: World) -> None:
    """A list is bare, and the youngest stand first."""
    latest = sorted(crowd.users.values(), key=lambda user: -user["created_at"])

    assert await _ids(get, "/users") == [each["id"] for each in latest[:10]]
    assert await _ids(get, "/users?limit=3&offset=8") == [each["id"] for each in latest[8:11]]


@pytest.mark.parametrize("order", ["", "-created_at", "%2Bcreated_at", "+created_at", "created_at"])
async def test_a_cursor_joins_pages_in_both_directions(get: Get, order: str) -> None:
    """Without a gap and without anybody twice; a plus may be escaped or not."""
    by = f"order_by={order}&" if order else ""
    whole = await _ids(get, f"/users?{by}limit=60")
    pages = await _ids(get, f"/users?{by}limit=25")
    while len(pages) < 60:
        pages += await _ids(get, f"/users?{by}limit=25&starting_after={pages[-1]}")

    assert pages == whole
    assert len(set(whole)) == 60
    assert await _ids(get, f"/users?{by}starting_after={whole[-1]}") == []


@pytest.mark.parametrize("field", ["first_name", "last_sign_in_at", "email_address", "updated_at"])
async def test_who_lacks_a_field_comes_last(get: Get, crowd: World, field: str) -> None:
    """In ascending order; the other way they are first, as PostgreSQL has it."""
    ascending = await _ids(get, f"/users?limit=60&order_by={field}")
    descending = await _ids(get, f"/users?limit=60&order_by=-{field}")

    assert ascending == descending[::-1]
    values = [crowd.users[each].get(field) for each in ascending]
    present = [each for each in values if each is not None]
    assert values[: len(present)] == sorted(present)


async def test_users_are_filtered_by_id_and_by_time(get: Get, crowd: World) -> None:
    """A minus leaves out; up to 100 ids; counts are filtered alike."""
    ids = list(crowd.users)
    some = "&".join(f"user_id={each}" for each in ids[:3])
    middle = crowd.users[ids[30]]["created_at"]

    assert set(await _ids(get, f"/users?{some}&user_id=user_nobody")) == set(ids[:3])
    assert set(await _ids(get, f"/users?user_id=%2B{ids[0]}")) == {ids[0]}
    assert set(await _ids(get, f"/users?limit=60&user_id=-{ids[0]}")) == set(ids[1:])
    assert len(await _ids(get, f"/users?limit=60&created_at_after={middle}")) == 29
    assert len(await _ids(get, f"/users?limit=60&created_at_before={middle}")) == 30
    active = [each for each in crowd.users.values() if (each["last_active_at"] or 0) > middle]
    assert len(await _ids(get, f"/users?limit=60&last_active_at_after={middle}")) == len(active)
    assert (await get(f"/users/count?{some}"))[1]["total_count"] == 3
    assert (await get("/users?" + "&".join(["user_id=user_x"] * 101)))[0] == 422


@pytest.mark.parametrize("name", ["limit=x", "limit=0", "offset=-1", "order_by=%2B", "order_by=x"])
async def test_a_bad_parameter_is_named(get: Get, name: str) -> None:
    """In Clerk's envelope of errors."""
    status, body = await get(f"/users?{name}")

    assert status == 422
    assert body["errors"][0]["meta"] == {"param_name": name.partition("=")[0]}


async def test_nobody_gets_in_without_a_key(crowd: World) -> None:
    """Neither with another's, nor with none, nor in another scheme."""
    async with _getting(crowd) as get:
        for said in ("Bearer sk_test_other", "Bearer", f"Basic {LIVE_KEY}", ""):
            status, body = await get("/users", Authorization=said)
            assert status == 401
            assert body["errors"][0]["code"]
        assert (await get("/users", key=TEST_KEY))[0] == 200


async def test_the_version_is_said_once(get: Get) -> None:
    """In the header or in the query; one that there is not is refused."""
    version = {"Clerk-API-Version": "2026-05-12"}

    assert (await get("/users", **version))[0] == 200
    assert (await get("/users?__clerk_api_version=2021-02-05"))[0] == 200
    assert (await get("/users?__clerk_api_version=2026-05-12", **version))[0] == 400
    assert (await get("/users", **{"Clerk-API-Version": "1999-01-01"}))[0] == 400


@pytest.mark.parametrize(("key", "allowed"), [(TEST_KEY, 100), (LIVE_KEY, 1000)])
async def test_a_key_allows_so_many_requests(key: str, allowed: int) -> None:
    """In 10 s; then comes a 429 that says how long to wait; only the public keys are free."""
    world, trouble = World(), Trouble()
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        running_stand_in(world, trouble) as url,
        aiohttp.ClientSession(headers=headers) as session,
    ):

        async def ask(path: str) -> tuple[int, str | None]:
            async with session.get(url + path) as response:
                return response.status, response.headers.get("Retry-After")

        began = time.monotonic()
        statuses = [await ask("/users/count") for _ in range(allowed + 1)]
        assert time.monotonic() - began < 10, "too slow to see the limit"
        free, _ = await ask("/jwks")

    assert [status for status, _ in statuses] == [200] * allowed + [429]
    assert 1 <= int(statuses[-1][1] or 0) <= 10
    assert free == 200


async def test_sessions_are_asked_for_by_their_user() -> None:
    """And by status; the purged are gone."""
    world = World()
    user = world.create_user().id
    first, second, third = (world.open_session(user).id for _ in range(3))
    world.open_session(world.create_user().id)
    world.end_session(first, status="expired")
    world.purge_session(second)
    async with _getting(world) as get:
        assert await _ids(get, f"/sessions?user_id={user}") == [third, first]
        assert await _ids(get, f"/sessions?user_id={user}&status=active") == [third]
        assert (await get(f"/sessions/{second}"))[0] == 404
        assert (await get("/sessions?status=active"))[0] == 422
        assert (await get(f"/sessions?user_id={user}&status=asleep"))[0] == 422


async def test_organizations_are_found_by_slug_and_counted_on_demand() -> None:
    """Members are counted where the query says so."""
    world = World()
    organization = world.create_organization(name="Northwind Robotics").id
    world.add_member(organization, world.create_user().id)
    slug = world.organizations[organization]["slug"]
    async with _getting(world) as get:
        _, plain = await get(f"/organizations/{slug}")
        _, counted = await get(f"/organizations/{organization}?include_members_count=true")

    assert plain["id"] == organization
    assert "members_count" not in plain
    assert counted["members_count"] == 1


async def test_a_large_offset_takes_long() -> None:
    """As Clerk warns; a cursor does not."""
    world, trouble = World(), Trouble(offset_cost_s=1e-5)
    async with _getting(world, trouble) as get:
        began = time.monotonic()
        await get("/users?offset=30000")

    assert time.monotonic() - began > 0.3


async def test_the_public_keys_are_those_of_the_tokens() -> None:
    """What signs the tokens of a trial is what /jwks shows."""
    key = new_private_key()
    signed_with = jwt.get_unverified_header(mint_token(key, user_id="user_1", minutes=1))["kid"]
    headers = {"Authorization": f"Bearer {TEST_KEY}"}
    async with (
        running_stand_in(World(), private_key=key) as url,
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{url}/jwks") as response,
    ):
        keys = parse_jwks(await response.read())

    assert list(keys) == [signed_with]


async def test_the_command_says_how_to_ask_and_stops_when_told() -> None:
    """Its line is for a shell, and makes the environment; Ctrl-C is a good end."""
    port = unused_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "stand-in", "--users", "30", "--port", str(port)),
        *("--key", "sk_live_mine"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        export, *settings = shlex.split((await process.stdout.readline()).decode())
        said = dict(each.split("=", 1) for each in settings)
        assert export == "export"
        headers = {"Authorization": f"Bearer {said['CLERK_SECRET_KEY']}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"{said['CLERK_API_URL']}/users/count") as response,
        ):
            assert (await response.json())["total_count"] == 30
            assert response.headers["Date"][:16] == time.strftime("%a, %d %b %Y", time.gmtime())
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


def test_the_command_refuses_a_key_that_others_would_refuse() -> None:
    """Before anybody copies it."""
    with pytest.raises(OperatorError, match="sk_live_ or sk_test_"):
        serve_stand_in(users=0, port=0, latency_s=0, secret_key="mine", console=open_console())


async def test_the_command_names_a_port_that_is_taken() -> None:
    """In words."""
    async with running_stand_in(World(now_ms=BEGINNING_MS)) as url:
        port = int(url.split(":")[2].removesuffix("/v1"))
        with pytest.raises(OperatorError, match="taken"):
            serve_stand_in(
                users=0, port=port, latency_s=0, secret_key=TEST_KEY, console=open_console()
            )
