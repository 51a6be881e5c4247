"""Clerk is asked with patience, within its limits, and understood when it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.errors import explain
from deploy.standin.app import LIVE_KEY, TEST_KEY
from schema import VERSION
from schema.clerk.client import (
    API_VERSION,
    Clerk,
    ClerkRefusedError,
    ClerkUnavailableError,
    NotAtClerkError,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from deploy.standin.trouble import Ill, Trouble
    from deploy.standin.world import World
    from tests.integration.clerk.conftest import Ask

    Handler = Callable[[web.Request], Awaitable[web.Response]]


@contextlib.asynccontextmanager
async def _asking(handler: Handler, *, patience_s: float = 5.0) -> AsyncIterator[Clerk]:
    """Ask something that is not Clerk."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Clerk(
            session,
            url=str(server.make_url("/v1")),
            secret_key=LIVE_KEY,
            requests_per_10_s=800,
            patience_s=patience_s,
        )


async def _answered(trouble: Trouble, status: int) -> int:
    return trouble.answered[status]


async def test_it_says_who_asks_and_for_which_version(
    world: World, trouble: Trouble, ask: Ask
) -> None:
    """Clerk can tell us from others, and does not change its answers under us."""
    heard: list[web.Request] = []
    trouble.before_answer = heard.append

    async with ask(world, trouble) as clerk:
        answer = await clerk.get("/users/count")

    assert msgspec.json.decode(answer.body)["total_count"] == 0
    assert heard[0].headers["Authorization"] == f"Bearer {LIVE_KEY}"
    assert heard[0].headers["Clerk-API-Version"] == API_VERSION
    assert heard[0].headers["User-Agent"] == f"clerkwork/{VERSION}"


async def test_the_clock_of_an_answer_is_clerks(world: World, ask: Ask) -> None:
    """Not ours: a world lives in its own time; to the second."""
    world.advance(400)
    async with ask(world) as clerk:
        found = await clerk.get("/users/count")
        with pytest.raises(NotAtClerkError) as absent:
            await clerk.get("/users/user_1")

    assert found.clock_ms == world.now_ms // 1000 * 1000
    assert absent.value.clock_ms == found.clock_ms


@pytest.mark.parametrize("ill", ["error", "reset", "truncated"])
async def test_what_goes_wrong_on_the_way_is_asked_again(
    world: World, trouble: Trouble, ask: Ask, ill: Ill
) -> None:
    """Until the whole answer is there."""
    told = world.create_user(email="somebody@example.com")
    trouble.error_rate, trouble.ills = 0.5, (ill,)

    async with ask(world, trouble) as clerk:
        answers = [await clerk.get(f"/users/{told.id}") for _ in range(4)]

    assert {msgspec.json.decode(each.body)["id"] for each in answers} == {told.id}
    # aiohttp itself asks once more where a connection that it kept turns out to be closed.
    assert trouble.asked["/users/{id}"] > 4


async def test_a_slow_answer_is_not_waited_for(
    world: World, trouble: Trouble, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one may be faster."""
    monkeypatch.setattr("schema.clerk.client.TIMEOUT_S", 0.1)
    trouble.error_rate, trouble.ills, trouble.slow_s = 0.5, ("slow",), 2.0
    trouble.seed = 3

    began = time.monotonic()
    async with ask(world, trouble) as clerk:
        for _ in range(3):
            await clerk.get("/users/count")

        assert clerk.requests > 3
    assert time.monotonic() - began < 5


async def test_patience_ends(world: World, trouble: Trouble, ask: Ask) -> None:
    """Nobody waits for longer than they said, also not for one answer."""
    trouble.error_rate, trouble.ills = 1.0, ("error", "slow")
    trouble.slow_s = 5.0

    began = time.monotonic()
    async with ask(world, trouble, patience_s=0.6) as clerk:
        with pytest.raises(ClerkUnavailableError) as error:
            await clerk.get("/users/count")

    assert time.monotonic() - began < 2
    assert "try again" in (explain(error.value) or "")


async def test_nobody_there_is_not_now() -> None:
    """A refused connection is no refusal."""
    async with aiohttp.ClientSession() as session:
        clerk = Clerk(
            session,
            url="http://127.0.0.1:1/v1",
            secret_key=LIVE_KEY,
            requests_per_10_s=10,
            patience_s=0.3,
        )
        with pytest.raises(ClerkUnavailableError):
            await clerk.get("/users/count")


async def test_the_share_is_never_exceeded(
    world: World, trouble: Trouble, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask at once: Clerk, which allows exactly as many, never has to refuse one."""
    monkeypatch.setattr("schema.clerk.budget._WINDOW_S", 0.3)
    monkeypatch.setattr("deploy.standin.limit._WINDOW_S", 0.3)
    trouble.requests_per_10_s, trouble.latency_s = 5, 0.02

    async with ask(world, trouble, requests_per_10_s=5) as clerk:
        await asyncio.gather(*(clerk.get("/users/count") for _ in range(18)))

        assert clerk.waited_s > 0
    assert trouble.answered == {200: 18}
    assert clerk.requests == 18


async def test_a_wait_that_clerk_asks_for_is_everybodys(
    world: World, trouble: Trouble, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One 429, and nobody asks again before its time; then all are answered."""
    monkeypatch.setattr("deploy.standin.limit._WINDOW_S", 0.9)
    trouble.requests_per_10_s = 2
    async with ask(world, trouble) as clerk:
        await clerk.get("/users/count")
        await clerk.get("/users/count")
        refused = asyncio.create_task(clerk.get("/users/count"))
        await until(lambda: _answered(trouble, 429), lambda count: count == 1)
        paused_at = time.monotonic()
        others = asyncio.create_task(clerk.get("/users/count"))
        await asyncio.gather(refused, others)

        assert time.monotonic() - paused_at > 0.9
    assert trouble.answered == {200: 4, 429: 1}


async def test_a_wait_longer_than_patience_is_not_begun(
    world: World, trouble: Trouble, ask: Ask
) -> None:
    """It is said at once, and in words."""
    trouble.requests_per_10_s = 0
    async with ask(world, trouble, patience_s=2.0) as clerk:
        began = time.monotonic()
        with pytest.raises(ClerkUnavailableError, match="asks us to wait"):
            await clerk.get("/users/count")

    assert time.monotonic() - began < 1


@pytest.mark.parametrize("key", ["sk_live_wrong", TEST_KEY + "x"])
async def test_a_wrong_key_is_named(world: World, ask: Ask, key: str) -> None:
    """By its setting, never by its value, and without being tried again."""
    async with ask(world, key=key) as clerk:
        with pytest.raises(ClerkRefusedError) as error:
            await clerk.get("/users")

        assert clerk.requests == 1
    assert (error.value.status, error.value.code) == (401, "clerk_key_invalid")
    said = explain(error.value)
    assert said is not None
    assert said.startswith("CLERK_SECRET_KEY is not accepted")
    assert key not in said


async def test_a_refusal_has_a_code_and_no_words(world: World, ask: Ask) -> None:
    """Clerk's words may name people."""
    async with ask(world) as clerk:
        with pytest.raises(ClerkRefusedError) as error:
            await clerk.get("/users", {"limit": 501})

    assert str(error.value) == "Clerk answered 422 (form_param_value_invalid)"


async def test_only_clerk_can_say_that_something_is_absent() -> None:
    """A proxy that knows no such path deletes nobody."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")

    async with _asking(answer) as clerk:
        with pytest.raises(ClerkRefusedError, match="404"):
            await clerk.get("/users/user_1")


async def test_a_redirect_is_not_followed() -> None:
    """The key goes where the settings say and nowhere else."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with _asking(answer) as clerk:
        with pytest.raises(ClerkRefusedError, match="302"):
            await clerk.get("/users")

    assert asked == ["/v1/users"]


async def test_an_endless_answer_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, whoever answers."""
    monkeypatch.setattr("schema.clerk.client.MAX_ANSWER_BYTES", 10_000)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b" " * 200_000)

    async with _asking(answer) as clerk:
        with pytest.raises(ClerkUnavailableError, match="larger"):
            await clerk.get("/users")
