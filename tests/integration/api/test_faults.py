"""Every error code can occur: one table of how to provoke each, against the real services."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp.test_utils import TestClient, unused_port

from api.page import encode_position
from ingest.app import build_app
from ingest.receive import MAX_BODY_BYTES
from ingest.settings import IngestSettings
from schema.http.faults import FAULTS
from schema.http.tokens.callers import Authenticator
from schema.http.tokens.claims import READ_SCOPE
from schema.postgres.ids import derive_post_id
from tests.documenting import watch
from tests.factories import ingest_environment, sign
from tests.serving import Server
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from tests.integration.api.conftest import Client, Outbox, Serve, Users

    Ingest = TestClient[Any, Any]
    Told = tuple[int, Mapping[str, Any]]
    """Status and body."""
    Provoke = Callable[["World"], Awaitable[Told]]

BODY: Final = b'{"type": "user.updated", "data": {"id": "user_1"}}'
ANOTHERS: Final = derive_post_id("user_2", "cmd_1")
"""The id of a post that is not user_1's, and is not there."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Both services, and what stands behind them."""

    client: Client
    users: Users
    outbox: Outbox
    serve: Serve
    database_url: str
    bootstrap_servers: str
    public_pem: str
    monkeypatch: pytest.MonkeyPatch

    async def ask(
        self, path: str, *, by: str | None = "user_1", method: str = "GET", **headers: str
    ) -> Told:
        """Ask the API."""
        response = await self.client.get(path, by=by, method=method, **headers)
        return response.status, await response.json()

    async def ask_another(
        self, path: str, *, url: str | None = None, times: int = 1, **settings: object
    ) -> Told:
        """Ask an API with other settings, or another database."""
        async with self.serve(url or self.database_url, **settings) as client:
            for _ in range(times - 1):
                await client.get(path, by="user_1")
            response = await client.get(path, by="user_1")
            return response.status, await response.json()

    async def ask_as(self, status: str) -> Told:
        """Ask the API as somebody whose row says that they are banned, and so on."""
        await self.users.add("user_1", status=status)
        return await self.ask("/v1/me")

    async def ask_as_machine(self, path: str, **claims: object) -> Told:
        """Ask an API that lets machines in."""
        async with self.serve(self.database_url, clerk_machine_tokens=True) as client:
            token = f"Bearer {client.token('mch_1', **claims)}"
            response = await client.get(path, Authorization=token)
            return response.status, await response.json()

    @asynccontextmanager
    async def ingest(self, **settings: str) -> AsyncIterator[Ingest]:
        """Serve an ingest whose Kafka is away, unless told otherwise."""
        keys = {"CLERK_JWT_KEY": self.public_pem, "INGEST_FORGERIES_PER_MINUTE": "1"}
        for name, value in ingest_environment(**keys | settings).items():
            self.monkeypatch.setenv(name, value)
        read = IngestSettings()
        app = build_app(read)
        undocumented = watch(app, "ingest")
        async with TestClient(Server(app, read)) as client:
            yield client
        assert undocumented == []

    async def deliver(self, body: bytes = BODY, **headers: str | None) -> Told:
        """Post a webhook; a header of None is left out."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {k: v for k, v in (sign(BODY) | changed).items() if v is not None}
        async with (
            self.ingest() as client,
            client.post("/webhooks/clerk", data=body, headers=sent) as response,
        ):
            return response.status, await response.json()

    async def command(self, method: str, path: str, *, key: str = "key", body: Any = None) -> Told:
        """Give a command to an ingest."""
        async with self.ingest() as client:
            return await self.give(client, method, path, key=key, body=body)

    async def give(self, client: Ingest, method: str, path: str, *, key: str, body: Any) -> Told:
        """Give a command as user_1."""
        headers = {"Authorization": f"Bearer {self.client.token('user_1')}", "Idempotency-Key": key}
        async with client.request(method, path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def send(self, request: bytes, *, to: Client | None = None) -> Told:
        """Send bytes to an API that need not be HTTP."""
        url = (to or self.client).http.make_url("/")
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(request)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].split()[0]
            body = await reader.readexactly(int(length))
        writer.close()
        return int(head.split()[1]), json.loads(body)


async def _dawdle(world: World) -> Told:
    async with world.serve(world.database_url, http_head_timeout_s=0.2) as client:
        return await world.send(b"GET /v1/me HTTP/1.1\r\nHost", to=client)


async def _crowd(world: World) -> Told:
    async with (
        world.serve(world.database_url, http_connections=1) as client,
        client.stream(by="user_1"),
    ):
        return await world.send(b"", to=client)


async def _reuse_key(world: World) -> Told:
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": world.bootstrap_servers}
    key = str(uuid.uuid4())
    async with world.ingest(**kafka) as client:

        async def status() -> int:
            async with client.get("/readyz") as response:
                return response.status

        await until(status, lambda found: found == 200)
        give = partial(world.give, client, "POST", "/v1/posts", key=key)
        first, _ = await give(body={"title": "One", "body": "."})
        assert first == 202
        return await give(body={"title": "Two", "body": "."})


async def _stream_too_often(world: World) -> Told:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(world.client.stream(by="user_1"))
        return await world.ask("/v1/changes", Accept="text/event-stream")


async def _stream_too_many(world: World) -> Told:
    async with (
        world.serve(world.database_url, api_streams=1) as client,
        client.stream(by="user_1"),
    ):
        response = await client.get("/v1/changes", by="user_2", Accept="text/event-stream")
        return response.status, await response.json()


async def _wait_with(world: World, waiting: int, **settings: object) -> Told:
    """Ask once more than so many requests of one caller may wait; that one is answered first."""
    await world.users.add("user_1", version=1)
    async with world.serve(world.database_url, **settings) as client:
        ask = partial(client.get, "/v1/me?min_version=2", by="user_1", Prefer="wait=10")
        tasks = [asyncio.create_task(ask()) for _ in range(waiting + 1)]
        response = await next(asyncio.as_completed(tasks))
        await world.users.connection.execute("UPDATE users SET version = 2")
        await asyncio.gather(*tasks)
        return response.status, await response.json()


async def _expire(world: World) -> Told:
    positions = [await world.outbox.tell() for _ in range(2)]
    await world.outbox.forget(positions[1])
    return await world.ask(f"/v1/changes?since={encode_position(positions[0])}")


async def _fail(world: World) -> Told:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    world.monkeypatch.setattr(Authenticator, "authenticate", fail)
    return await world.ask("/v1/me")


def _away() -> str:
    return f"postgresql://nobody@127.0.0.1:{unused_port()}/none"


def _no_keys() -> dict[str, Any]:
    url = f"http://127.0.0.1:{unused_port()}/jwks.json"
    return {"clerk_jwt_key": None, "clerk_jwks_url": url}


PROVOCATIONS: Final[Mapping[str, Provoke]] = {
    "BAD_REQUEST": lambda w: w.send(b"GET /v1/me HTTP/1.1\r\nbroken\r\n\r\n"),
    "INVALID_ID": lambda w: w.ask("/v1/users/org_1"),
    "INVALID_CURSOR": lambda w: w.ask("/v1/users?cursor=x"),
    "INVALID_LIMIT": lambda w: w.ask("/v1/users?limit=0"),
    "INVALID_MIN_VERSION": lambda w: w.ask("/v1/me?min_version=-1"),
    "UNKNOWN_PARAMETER": lambda w: w.ask("/v1/users?limits=1"),
    "DUPLICATE_PARAMETER": lambda w: w.ask("/v1/users?limit=1&limit=2"),
    "MISSING_HEADER": lambda w: w.deliver(svix_id=None),
    "MALFORMED_SIGNATURE": lambda w: w.deliver(svix_timestamp="soon"),
    "INVALID_PAYLOAD": lambda w: w.deliver(b"\xff\xfe"),
    "INVALID_BODY": lambda w: w.command("POST", "/v1/posts", body={"title": "No body"}),
    "INVALID_IDEMPOTENCY_KEY": lambda w: w.command("POST", "/v1/posts", key="k" * 256, body={}),
    "UNAUTHENTICATED": lambda w: w.ask("/v1/me", by=None),
    "INVALID_SIGNATURE": lambda w: w.deliver(svix_signature="v1,AAAA"),
    "STALE_TIMESTAMP": lambda w: w.deliver(svix_timestamp="1600000000"),
    "INSUFFICIENT_SCOPE": lambda w: w.ask_as_machine("/v1/users"),
    "USERS_ONLY": lambda w: w.ask_as_machine("/v1/me", scope=READ_SCOPE),
    "FORBIDDEN": lambda w: w.ask("/v1/users/user_2/data"),
    "NOT_THE_AUTHOR": lambda w: w.command("DELETE", f"/v1/posts/{ANOTHERS}"),
    "DATA_KEY_READ_ONLY": lambda w: w.command("DELETE", "/v1/me/data/session_count"),
    "USER_BANNED": lambda w: w.ask_as("banned"),
    "USER_DELETED": lambda w: w.ask_as("deleted"),
    "USER_DEPROVISIONED": lambda w: w.ask_as("deprovisioned"),
    "NOT_FOUND": lambda w: w.ask("/v1/nothing"),
    "USER_NOT_FOUND": lambda w: w.ask("/v1/users/user_nobody"),
    "UNKNOWN_DATA_KEY": lambda w: w.command("DELETE", "/v1/me/data/nothing"),
    "POST_NOT_FOUND": lambda w: w.ask(f"/v1/posts/{ANOTHERS}"),
    "ORGANIZATION_NOT_FOUND": lambda w: w.ask("/v1/organizations/org_nobody"),
    "EVENT_NOT_FOUND": lambda w: w.ask("/v1/events/msg_nothing"),
    "CANARY_NOT_FOUND": lambda w: w.ask("/canary/user_nobody"),
    "METHOD_NOT_ALLOWED": lambda w: w.ask("/v1/me", method="POST"),
    "REQUEST_TIMEOUT": _dawdle,
    "CURSOR_EXPIRED": _expire,
    "PAYLOAD_TOO_LARGE": lambda w: w.deliver(b" " * (MAX_BODY_BYTES + 1)),
    "UNSUPPORTED_MEDIA_TYPE": lambda w: w.deliver(content_type="text/plain"),
    "EXPECTATION_FAILED": lambda w: w.ask("/v1/nothing", Expect="tea"),
    "IDEMPOTENCY_KEY_REUSED": _reuse_key,
    "RATE_LIMITED": lambda w: w.ask_another(
        "/v1/me", times=2, api_rate_limits="show_me=1/minute/user"
    ),
    "TOO_MANY_STREAMS": _stream_too_often,
    "TOO_MANY_WAITS": lambda w: _wait_with(w, 20),
    "HEADERS_TOO_LARGE": lambda w: w.ask("/v1/nothing", X_Padding="x" * 9000),
    "INTERNAL_ERROR": _fail,
    "BROKER_UNAVAILABLE": lambda w: w.deliver(),
    "CONNECTIONS_EXHAUSTED": _crowd,
    "DATABASE_UNAVAILABLE": lambda w: w.ask_another("/v1/users", url=_away()),
    "KEYS_UNAVAILABLE": lambda w: w.ask_another("/v1/me", **_no_keys()),
    "STREAMS_EXHAUSTED": _stream_too_many,
    "WAITS_EXHAUSTED": lambda w: _wait_with(w, 1, api_version_waits=1),
    "VERSION_NOT_REACHED": lambda w: w.ask("/v1/me?min_version=9", Prefer="wait=0"),
}
"""Code -> what brings it about."""


@pytest.fixture
def world(
    client: Client,
    users: Users,
    outbox: Outbox,
    serve: Serve,
    database_url: str,
    bootstrap_servers: str,
    public_pem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """Return the services, with nobody in the database."""
    return World(
        client=client,
        users=users,
        outbox=outbox,
        serve=serve,
        database_url=database_url,
        bootstrap_servers=bootstrap_servers,
        public_pem=public_pem,
        monkeypatch=monkeypatch,
    )


def test_every_code_is_in_the_table() -> None:
    """And no other: a code that nothing can bring about is not documented."""
    assert PROVOCATIONS.keys() == FAULTS.keys()


@pytest.mark.parametrize("code", PROVOCATIONS)
async def test_every_code_can_occur(world: World, code: str) -> None:
    """With its status, in the envelope; that the route declares it, the fixture asserts."""
    status, body = await PROVOCATIONS[code](world)

    assert (status, body["error"]["code"]) == (FAULTS[code].status, code)
