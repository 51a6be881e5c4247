"""A real ingest behind a tunnel, a stand-in for Clerk, and a person who answers from a list."""

from __future__ import annotations

import contextlib
import io
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from rich.console import Console

from deploy.connect.visit import Visit, Wishes
from deploy.stack.ports import free_port
from deploy.standin.app import TEST_KEY, running_stand_in
from deploy.standin.world import INSTANCE_ID, World
from ingest.app import build_app
from ingest.settings import IngestSettings
from tests.factories import SECRET, sign
from tests.serving import Server
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    Serve = Callable[..., AbstractAsyncContextManager["Door"]]


@dataclass
class Scripted:
    """Answers what it was told to, and notes what it was asked."""

    answers: list[str | bool]
    asked: list[str] = field(default_factory=list)

    def ask(self, question: str, *, instead: str) -> str:
        """Give the next answer."""
        self.asked.append(f"{question} {instead}")
        return str(self.answers.pop(0))

    def ask_secret(self, question: str, *, instead: str) -> str:
        """Give the next answer."""
        return self.ask(question, instead=instead)

    def agrees(self, question: str, *, instead: str) -> bool:
        """Give the next answer."""
        self.asked.append(f"{question} {instead}")
        return bool(self.answers.pop(0))


@dataclass(frozen=True)
class Door:
    """An ingest, and a tunnel to it."""

    ingest: str
    """URL of webhooks, without the tunnel."""
    tunnel: str
    """The public address."""

    async def deliver(self, body: bytes) -> int:
        """Post an event as Clerk would, through the tunnel; return the status."""
        async with (
            ClientSession() as session,
            session.post(
                f"{self.tunnel}/webhooks/clerk", data=body, headers=sign(body)
            ) as response,
        ):
            return response.status


def visit(*answers: str | bool, url: str | None = None, wait_s: float = 20) -> Visit:
    """Return a visit by somebody who gives these answers."""
    return Visit(
        person=Scripted(list(answers)),
        console=Console(file=io.StringIO(), width=500, emoji=False),
        wishes=Wishes(url=url, wait_s=wait_s, yes=False),
    )


def said(one: Visit) -> str:
    """Return all that was printed."""
    assert isinstance(one.console.file, io.StringIO)
    return one.console.file.getvalue()


async def wait_until_said(one: Visit, text: str) -> None:
    """Return once that was printed."""

    async def look() -> str:
        return said(one)

    await until(look, lambda so_far: text in so_far)


@pytest.fixture
def world() -> World:
    """What Clerk has."""
    world = World()
    world.follow(lambda: time.time_ns() // 1_000_000)
    return world


@pytest.fixture
async def clerk(
    world: World,
    bootstrap_servers: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[None]:
    """An environment in which Clerk's key and signing secret are set."""
    async with running_stand_in(world) as url:
        for name, value in {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "DATABASE_URL": database_url,
            "CLERK_API_URL": url,
            "CLERK_SECRET_KEY": TEST_KEY,
            "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
            "WORKER_METRICS_PORT": str(free_port()),
            "RELAY_METRICS_PORT": str(free_port()),
        }.items():
            monkeypatch.setenv(name, value)
        yield


def _as_it_is(body: bytes) -> bytes:
    return body


def reformat(body: bytes) -> bytes:
    """Do to a body what a gateway does that reads JSON and writes it again."""
    return json.dumps(json.loads(body), indent=1).encode()


@pytest.fixture
def serve(clerk: None, monkeypatch: pytest.MonkeyPatch) -> Serve:  # noqa: ARG001 - its environment
    """Return a context manager that serves ingest behind a tunnel, which may change bodies."""

    @contextlib.asynccontextmanager
    async def serve(
        change: Callable[[bytes], bytes] = _as_it_is, **variables: str
    ) -> AsyncIterator[Door]:
        with monkeypatch.context() as environment:
            for name, value in {"CLERK_INSTANCE_ID": INSTANCE_ID, **variables}.items():
                environment.setenv(name, value)
            settings = IngestSettings()
        async with contextlib.AsyncExitStack() as stack:
            ingest = await stack.enter_async_context(Server(build_app(settings), settings))
            inner = str(ingest.make_url("")).rstrip("/")
            tunnel = await stack.enter_async_context(TestServer(_tunnel(inner, change)))
            door = Door(f"{inner}/webhooks/clerk", str(tunnel.make_url("")).rstrip("/"))
            monkeypatch.setenv("CANARY_INGEST_URL", door.ingest)
            await _until_ready(inner)
            yield door

    return serve


def _tunnel(inner: str, change: Callable[[bytes], bytes]) -> web.Application:
    """Pass everything on to `inner`, under another name."""

    async def forward(request: web.Request) -> web.Response:
        body = change(await request.read())
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in {"host", "content-length"}
        }
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, inner + request.path_qs, data=body, headers=headers
            ) as answer,
        ):
            kind = answer.headers["Content-Type"]
            return web.Response(
                status=answer.status, body=await answer.read(), headers={"Content-Type": kind}
            )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    return app


async def _until_ready(inner: str) -> None:
    async with ClientSession() as session:

        async def ask() -> int:
            async with session.get(f"{inner}/readyz") as response:
                return response.status

        await until(ask, lambda status: status == 200)
