"""The real ingest, and callers with tokens as `clerkwork token` makes them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient

from deploy.tokens import ISSUER, mint_token, new_private_key, public_key
from ingest.app import build_app
from ingest.settings import IngestSettings
from tests.factories import ingest_environment
from tests.serving import Server
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from aiohttp import web
    from aiokafka import ConsumerRecord
    from multidict import CIMultiDictProxy
    from yarl import URL

    ReadTopic = Callable[[str], Awaitable[list[ConsumerRecord[Any, Any]]]]
    Serve = Callable[..., AbstractAsyncContextManager["Door"]]


@pytest.fixture(scope="session")
def private_key() -> str:
    """Stand for the key that only Clerk has."""
    return new_private_key()


@dataclass(frozen=True)
class Reply:
    """What a command was answered."""

    status: int
    body: Any
    headers: CIMultiDictProxy[str]

    @property
    def code(self) -> str:
        """The error's."""
        return self.body["error"]["code"]

    @property
    def details(self) -> dict[str, Any]:
        """The error's."""
        return self.body["error"].get("details", {})


@dataclass(frozen=True)
class Door:
    """Gives commands as somebody."""

    http: TestClient[web.Request, web.Application]
    private_key: str

    async def ask(
        self,
        method: str,
        path: str | URL,
        *,
        by: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Reply:
        """Give a command in the name of `by`; `json=` or `data=` is its body."""
        sent = dict(headers or {})
        if by:
            sent["Authorization"] = f"Bearer {self.token(by)}"
        if key is not None:
            sent["Idempotency-Key"] = key
        async with self.http.request(method, path, headers=sent, **body) as response:
            return Reply(response.status, await response.json(), response.headers)

    def token(self, clerk_id: str) -> str:
        """Return a session token."""
        return _token(self.private_key, clerk_id)

    async def readiness(self) -> int:
        """Return the status of the probe."""
        async with self.http.get("/readyz") as response:
            return response.status

    async def until_ready(self) -> None:
        """Wait for Kafka."""
        await until(self.readiness, lambda status: status == 200)

    async def metrics(self) -> str:
        """Return what Prometheus would read."""
        async with self.http.get("/metrics") as response:
            return await response.text()


@cache
def _token(private_key: str, clerk_id: str) -> str:
    return mint_token(private_key, user_id=clerk_id, minutes=5)


@pytest.fixture
def serve(private_key: str, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return a context manager that serves ingest, whose keys are ours unless told otherwise."""

    @asynccontextmanager
    async def serve(**changes: str) -> AsyncIterator[Door]:
        ours = {"CLERK_JWT_KEY": public_key(private_key), "CLERK_ISSUER": ISSUER}
        with monkeypatch.context() as environment:
            for name, value in ingest_environment(**ours | changes).items():
                environment.setenv(name, value)
            settings = IngestSettings()
        async with TestClient(Server(build_app(settings), settings)) as http:
            yield Door(http, private_key)

    return serve


@pytest.fixture
async def door(serve: Serve, bootstrap_servers: str) -> AsyncIterator[Door]:
    """Serve ingest over the real Kafka."""
    async with serve(KAFKA_BOOTSTRAP_SERVERS=bootstrap_servers) as door:
        await door.until_ready()
        yield door
