"""Connecting: the whole walk, and how each step says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.connect.door import prove_door
from deploy.connect.run import walk
from deploy.connect.visit import StepError
from deploy.stack.ports import free_port
from deploy.standin.app import TEST_KEY
from deploy.standin.world import INSTANCE_ID
from tests.factories import SECRET, make_body, new_user_id
from tests.integration.deploy.connect.conftest import (
    Scripted,
    reformat,
    said,
    visit,
    wait_until_said,
)
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from deploy.connect.visit import Visit
    from deploy.standin.world import World
    from tests.integration.deploy.connect.conftest import Door, Serve

OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def _example(**envelope: str) -> tuple[str, bytes]:
    """Return an event as the dashboard makes one up, and the user that it names."""
    user_id = new_user_id()
    event = json.loads(make_body("user.created", id=user_id))
    event.pop("instance_id")
    return user_id, json.dumps(event | envelope).encode()


async def _walk_with(one: Visit, door: Door, body: bytes) -> str:
    """Walk, with Clerk sending an event when the person is told to ask for one."""
    walking = asyncio.create_task(walk(one))
    await wait_until_said(one, "Send Example.")
    assert await door.deliver(body) == 202
    return await walking


async def test_a_walk_from_nothing_to_webhooks(
    serve: Serve, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is asked for that is not set; Clerk's example arrives, and what stays of it is told."""
    user_id, body = _example()
    async with serve() as door, running_worker(WorkerSettings()):
        monkeypatch.delenv("CLERK_SECRET_KEY")
        monkeypatch.delenv("CLERK_WEBHOOK_SIGNING_SECRET")
        one = visit(TEST_KEY, "tunnel.example.com", door.tunnel, SECRET)

        url = await _walk_from_quiet(one, door, body)
        again = visit(url=door.tunnel)
        await walk(again)

    database = await asyncpg.connect(database_url)
    rows = await database.fetch("SELECT clerk_id FROM users WHERE status = 'active'")
    await database.close()
    text = said(one)
    assert url == f"{door.tunnel}/webhooks/clerk"
    assert f"development instance {INSTANCE_ID}" in text
    assert f"CLERK_INSTANCE_ID={INSTANCE_ID}" in text
    assert "is no address" in text
    assert "a canary was accepted in" in text
    assert "user.created has come, msg_" in text
    assert "A worker has applied it, " in text
    assert f"Clerk has no user {user_id}" in text
    assert [row["clerk_id"] for row in rows] == [user_id]
    assert "Clerk's webhooks arrive: user.created msg_" in said(again)
    for hidden in (TEST_KEY, SECRET):
        assert hidden not in text


async def test_a_real_event_is_not_called_made_up(serve: Serve, world: World) -> None:
    """Somebody signs up while it waits: that proves as much as an example."""
    body = world.create_user().body
    async with serve() as door, running_worker(WorkerSettings()):
        one = visit(url=door.tunnel)
        await _walk_from_quiet(one, door, body)

    assert "A worker has applied it, " in said(one)
    assert "made up" not in said(one)


async def _walk_from_quiet(one: Visit, door: Door, body: bytes) -> str:
    """Walk as if nothing had come before: the topics are everybody's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deploy.connect.arrive.RECENT_S", 0.0)
        return await _walk_with(one, door, body)


async def _refusal(one: Visit) -> str:
    with pytest.raises(StepError) as refused:
        await walk(one)
    return str(refused.value)


async def test_a_key_that_is_not_accepted_ends_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong ones, ones that are no secret keys, and one of another instance."""
    async with serve() as door:
        monkeypatch.setenv("CLERK_SECRET_KEY", "sk_test_somebodyelses")
        refused = await _refusal(visit(url=door.tunnel))
        monkeypatch.delenv("CLERK_SECRET_KEY")
        misread = await _refusal(visit("pk_test_published", url=door.tunnel))
        monkeypatch.setenv("CLERK_SECRET_KEY", TEST_KEY)
        monkeypatch.setenv("CLERK_INSTANCE_ID", "ins_other")
        foreign = await _refusal(visit(url=door.tunnel))
        monkeypatch.setenv("CLERK_API_URL", f"http://127.0.0.1:{free_port()}/v1")
        monkeypatch.setattr("deploy.connect.keys.PATIENCE_S", 0.1)
        away = await _refusal(visit(url=door.tunnel))
        monkeypatch.setenv("CLERK_API_URL", door.ingest)
        elsewhere = await _refusal(visit(url=door.tunnel))

    assert "Clerk does not accept CLERK_SECRET_KEY (401)" in refused
    assert "sk_live_ or sk_test_" in misread
    assert "CLERK_INSTANCE_ID is ins_other" in foreign
    assert "Is CLERK_API_URL right?" in away
    assert "Is CLERK_API_URL right?" in elsewhere


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text="<h1>Welcome</h1>", content_type="text/html")


async def _moved(_request: web.Request) -> web.Response:
    raise web.HTTPFound("https://sign-in.example.com/")


async def _bad_gateway(_request: web.Request) -> web.Response:
    raise web.HTTPBadGateway


async def _elsewhere(_request: web.Request) -> web.Response:
    error = {"code": "NOT_FOUND", "message": "Not Found.", "requestId": "r"}
    return web.json_response({"error": error}, status=404)


async def _another_clerkwork(request: web.Request) -> web.Response:
    if "svix-id" in request.headers:
        return web.json_response({"status": "accepted"}, status=202)
    error = {"code": "MISSING_HEADER", "message": "x", "requestId": "r"}
    return web.json_response({"error": error}, status=400)


@contextlib.asynccontextmanager
async def _serving(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url(""))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (_page, "not clerkwork's ingest: it answers 200"),
        (_moved, "redirects (302) to https://sign-in.example.com/"),
        (_bad_gateway, "answers 502: it reaches no ingest"),
        (_elsewhere, "not to its door for webhooks (404 NOT_FOUND)"),
        (_another_clerkwork, "leads to another clerkwork"),
    ],
)
@pytest.mark.usefixtures("clerk")
async def test_an_address_that_leads_elsewhere_is_told(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is registered at Clerk."""
    monkeypatch.setattr("deploy.connect.secret.WITHIN_S", 0.3)
    async with _serving(answer) as url:
        assert told in await _refusal(visit(url=url))


async def test_a_door_that_speaks_no_tls_is_told(serve: Serve) -> None:
    """Somebody is there: to look whether the tunnel is up would lead nowhere."""
    async with serve() as door:
        with pytest.raises(StepError, match="not by TLS"):
            await prove_door(door.ingest.replace("http://", "https://"))


@pytest.mark.usefixtures("clerk")
async def test_a_tunnel_that_is_down_is_told() -> None:
    """Nobody listens there."""
    refused = await _refusal(visit(url=f"http://127.0.0.1:{free_port()}"))

    assert "Nobody answers at" in refused


async def test_a_tunnel_that_changes_bodies_is_told_from_another_secret(serve: Serve) -> None:
    """Both are answered 401; ingest itself, asked without the tunnel, makes the difference."""
    async with serve(reformat) as door:
        changed = await _refusal(visit(url=door.tunnel))
    async with serve(CLERK_WEBHOOK_SIGNING_SECRET=OTHER_SECRET) as door:
        other = await _refusal(visit(url=door.tunnel))

    assert "The tunnel changes bodies on their way" in changed
    assert "Ingest has another signing secret" in other
    assert "tunnel" not in other


async def test_secrets_that_cannot_be_any_are_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was typed in is not kept."""
    async with serve() as door:
        monkeypatch.delenv("CLERK_WEBHOOK_SIGNING_SECRET")
        refused = await _refusal(visit("sk_test_1", url=door.tunnel))

    assert "That is no signing secret" in refused


async def test_an_ingest_of_another_instance_is_told(serve: Serve) -> None:
    """It would put everything that Clerk sends into quarantine."""
    async with serve(CLERK_INSTANCE_ID="ins_other") as door:
        refused = await _refusal(visit(url=door.tunnel))

    assert "Ingest serves another instance" in refused


async def test_nothing_comes(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where to look, and asks whether to go on waiting; a stopped worker is told too."""
    monkeypatch.setattr("deploy.connect.secret.WITHIN_S", 0.3)
    monkeypatch.setattr("deploy.connect.arrive.RECENT_S", 0.0)
    async with serve() as door:
        one = visit(True, False, url=door.tunnel, wait_s=0.2)
        refused = await _refusal(one)

    assert isinstance(one.person, Scripted)
    assert len(one.person.asked) == 2
    assert "--wait" in one.person.asked[0]
    assert "Message Attempts" in said(one)
    assert "start clerkwork worker" in said(one)
    assert "has not come" in refused


async def test_an_event_of_another_instance_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rightly signed, and in quarantine."""
    monkeypatch.setattr("deploy.connect.secret.WITHIN_S", 0.3)
    _, body = _example(instance_id="ins_other")
    async with serve() as door:
        one = visit(url=door.tunnel)
        with pytest.raises(StepError) as refused:
            await _walk_from_quiet(one, door, body)

    assert "FOREIGN_INSTANCE" in str(refused.value)
