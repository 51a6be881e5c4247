"""The process as a whole: probes, envelopes, logs, and a database or keys that come and go."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs
from yarl import URL

from tests.links import forwarding

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tests.integration.api.conftest import Client, Serve, Sign, Users

WAITING = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND relation = 'users'::regclass
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def test_without_a_token_nobody_gets_in(client: Client) -> None:
    """The envelope says why, the header how, and nobody keeps the answer."""
    response = await client.get("/v1/me", X_Request_ID="request-0001")

    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["X-Request-ID"] == "request-0001"
    assert response.headers["Cache-Control"] == "no-store"
    error = (await response.json())["error"]
    assert datetime.fromisoformat(error.pop("timestamp"))
    assert error.pop("message")
    assert error == {
        "code": "UNAUTHENTICATED",
        "details": {"reason": "missing"},
        "requestId": "request-0001",
    }


async def test_a_bad_token_names_its_reason(client: Client) -> None:
    """The rules of the settings are applied."""
    tokens = {
        "expired": client.token("user_1", exp=0),
        "wrong_issuer": client.token("user_1", iss="https://other.example"),
        "malformed": "x",
    }

    for reason, token in tokens.items():
        response = await client.get("/v1/me", Authorization=f"Bearer {token}")

        assert response.status == 401
        assert (await response.json())["error"]["details"] == {"reason": reason}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/v1/users/", 404, "NOT_FOUND"),
        ("POST", "/v1/me", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/v1/users/user_1", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_is_not_served_is_in_the_envelope_too(
    client: Client, method: str, path: str, status: int, code: str
) -> None:
    """The framework's own errors look like ours."""
    response = await client.get(path, by="user_1", method=method)

    assert (response.status, (await response.json())["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/v1/me", "/v1/users", "/nowhere", "/livez", "/metrics"])
async def test_every_answer_is_hardened(client: Client, path: str) -> None:
    """Browsers must not guess types; every answer has its request id."""
    response = await client.get(path, by="user_1")

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Request-ID"]
    assert response.headers["Cache-Control"] in ("no-store", "private, no-cache")


async def test_a_healthy_process_says_so(client: Client) -> None:
    """Alive and ready, each check by name."""
    live = await client.get("/livez")
    ready = await client.get("/readyz")

    assert live.status == 200
    assert ready.status == 200
    checks = (await ready.json())["checks"]
    assert re.fullmatch(
        r"ok: answers in [\d.]+ ms, \d+ of at most 10 connections in use, \d+ idle",
        checks.pop("database"),
    )
    assert checks == {"keys": "ok"}


async def test_requests_are_counted_by_route(client: Client, users: Users) -> None:
    """By template: neither ids nor scanners' paths make new series."""
    await users.add("user_1")
    for path in ("/v1/users/user_1", "/v1/users/user_2", "/wp-login.php", "/.env"):
        await client.get(path, by="user_1")

    text = await (await client.get("/metrics")).text()

    name = "clerkwork_http_request_seconds_count"
    assert f'{name}{{route="/v1/users/{{id}}",status="2xx"}} 1.0' in text
    assert f'{name}{{route="/v1/users/{{id}}",status="4xx"}} 1.0' in text
    assert f'{name}{{route="unmatched",status="4xx"}} 2.0' in text
    assert "user_1" not in text


async def test_a_request_is_one_line_without_personal_data(client: Client, users: Users) -> None:
    """Who, what, how it ended, how long it took; no token, no name, no address."""
    await users.add("user_1", first_name="Ada")
    token = client.token("user_1")
    with capture_logs() as lines:
        await client.get("/v1/me", Authorization=f"Bearer {token}")

    [line] = (each for each in lines if each["log_level"] == "info")
    assert (line["event"], line["route"], line["status"]) == ("request_served", "/v1/me", 200)
    assert line["user_id"] == "user_1"
    for secret in (token, "Ada", "example.com"):
        assert secret not in json.dumps(lines)


async def test_without_a_database_the_process_starts_and_recovers(
    serve: Serve, database_url: str
) -> None:
    """503 until it is there, never 500, and no restart is needed."""
    url = URL(database_url)
    port = unused_port()
    async with serve(str(url.with_host("127.0.0.1").with_port(port))) as client:
        for path in ("/v1/me", "/v1/users", "/v1/users/user_1"):
            response = await client.get(path, by="user_1")
            error = (await response.json())["error"]
            assert (response.status, error["code"]) == (503, "DATABASE_UNAVAILABLE")
            assert response.headers["Retry-After"]
        ready = await client.get("/readyz")
        live = await client.get("/livez")
        assert (ready.status, live.status) == (503, 200)
        assert (await ready.json())["checks"] == {
            "database": "PostgreSQL does not answer",
            "keys": "ok",
        }

        async with forwarding(port, url):

            async def is_ready() -> bool:
                return (await client.get("/readyz")).status == 200

            await until(is_ready)
            assert (await client.get("/v1/users", by="user_1")).status == 200


async def test_a_database_that_hangs_does_not_hang_the_api(serve: Serve, database_url: str) -> None:
    """A server that takes connections and says nothing: an answer in bounded time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = URL(database_url).with_host("127.0.0.1").with_port(silent.getsockname()[1])
        async with serve(str(url)) as client, asyncio.timeout(20):
            ready, response = await asyncio.gather(
                client.get("/readyz"), client.get("/v1/me", by="user_1")
            )

    assert (ready.status, response.status) == (503, 503)


async def test_a_connection_that_hangs_is_given_up(serve: Serve, database_url: str) -> None:
    """Connections that were good and fall silent, as after a network partition."""
    url = URL(database_url)
    port = unused_port()
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with forwarding(port, url) as link, serve(proxied) as client:
        assert (await client.get("/v1/users", by="user_1")).status == 200
        link.clear()
        async with asyncio.timeout(20):
            response = await client.get("/v1/users", by="user_1")
        link.set()

        assert response.status == 503
        assert (await client.get("/v1/users", by="user_1")).status == 200


async def test_a_schema_that_is_not_there_yet_is_not_an_error_of_ours(
    serve: Serve, users: Users, database_url: str
) -> None:
    """Before the migration: not now."""
    await users.connection.execute("ALTER TABLE users RENAME TO later")
    async with serve(database_url) as client:
        before = await client.get("/v1/users", by="user_1")
        await users.connection.execute("ALTER TABLE later RENAME TO users")
        after = await client.get("/v1/users", by="user_1")

    assert (before.status, after.status) == (503, 200)


async def test_lost_connections_are_replaced(client: Client, users: Users) -> None:
    """A restart of PostgreSQL costs at most the requests that were under way."""
    assert (await client.get("/v1/users", by="user_1")).status == 200
    await users.connection.execute("""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """)
    await asyncio.sleep(0.1)

    assert (await client.get("/v1/users", by="user_1")).status == 200


async def test_many_requests_share_few_connections(client: Client, users: Users) -> None:
    """More callers than connections: they wait their turn, nobody is turned away."""
    await users.add("user_1")

    responses = await asyncio.gather(*(client.get("/v1/me", by="user_1") for _ in range(100)))

    assert {response.status for response in responses} == {200}
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clerkwork-api'"
    assert await users.connection.fetchval(f"{count} AND datname = current_database()") <= 10


class KeyServer:
    """Serves a key set, or whatever a test makes it answer."""

    def __init__(self, key: RSAPrivateKey) -> None:
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.good = json.dumps({"keys": [{**jwk, "kid": "ins_1", "alg": "RS256"}]})
        self.answers: list[web.Response | web.HTTPException] = []

    async def answer(self, _request: web.Request) -> web.Response:
        """Answer as told, then rightly."""
        if not self.answers:
            return web.Response(text=self.good, content_type="application/json")
        answer = self.answers.pop(0)
        if isinstance(answer, web.HTTPException):
            raise answer
        return answer


async def test_keys_are_fetched_from_clerk(
    serve: Serve, database_url: str, signing_key: RSAPrivateKey
) -> None:
    """With an address in the place of a PEM; other keys are unknown."""
    keys = KeyServer(signing_key)
    app = web.Application()
    app.router.add_get("/.well-known/jwks.json", keys.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/.well-known/jwks.json"))
        async with serve(database_url, clerk_jwt_key=None, clerk_jwks_url=url) as client:
            known = await client.get("/v1/users", by="user_1")
            ready = await client.get("/readyz")

    assert (known.status, ready.status) == (200, 200)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(web.HTTPInternalServerError, id="an error"),
        pytest.param(lambda: web.HTTPFound("/elsewhere"), id="a redirect"),
        pytest.param(lambda: web.Response(text="<html>"), id="a page"),
        pytest.param(lambda: web.Response(body=b" " * 100_000), id="too much"),
    ],
)
async def test_without_keys_nobody_can_say_who_calls(
    serve: Serve, database_url: str, signing_key: RSAPrivateKey, answer: type
) -> None:
    """503 and not 401: the caller did nothing wrong."""
    keys = KeyServer(signing_key)
    keys.answers = [answer()]
    app = web.Application()
    app.router.add_get("/jwks.json", keys.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/jwks.json"))
        async with serve(database_url, clerk_jwt_key=None, clerk_jwks_url=url) as client:
            response = await client.get("/v1/me", by="user_1")
            ready = await client.get("/readyz")

    assert (response.status, ready.status) == (503, 503)
    assert (await response.json())["error"]["code"] == "KEYS_UNAVAILABLE"
    assert response.headers["Retry-After"]
    assert (await ready.json())["checks"]["keys"] == "Clerk's keys cannot be fetched"


@asynccontextmanager
async def running(database_url: str, port: int, key: RSAPrivateKey) -> AsyncIterator[Process]:
    """Run `python -m api` as an operator does."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "api"),
        env={
            "DATABASE_URL": database_url,
            "CLERK_JWT_KEY": pem.decode().replace("\n", "\\n"),
            "API_PORT": str(port),
            "LOG_FORMAT": "json",
            "API_CACHE_WARM": "0",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            await until(partial(is_listening, port))
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_the_process_answers_what_is_under_way_and_stops(
    database_url: str, users: Users, signing_key: RSAPrivateKey, sign: Sign
) -> None:
    """SIGTERM: the request that waits for the database still gets its answer; a clean exit."""
    await users.add("user_1")
    port = unused_port()
    caller = {"Authorization": f"Bearer {sign('user_1')}"}
    async with (
        running(database_url, port, signing_key) as process,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        async with users.connection.transaction():
            await users.connection.execute("LOCK TABLE users")
            request = asyncio.create_task(session.get("/v1/me", headers=caller))
            await until(partial(users.connection.fetchval, WAITING))
            process.send_signal(signal.SIGTERM)
            await until(partial(is_refusing, port))
        response = await request
        _, stderr = await process.communicate()

    lines = [json.loads(line) for line in stderr.splitlines()]
    assert (response.status, process.returncode) == (200, 0)
    assert [line["message"] for line in lines] == [
        "api_starting",
        "token_claims_unchecked",
        "serving",
        "leaving",
        "request_served",
    ]
    assert lines[-1]["context"].keys() == {"requestId", "route", "userId"}


async def test_a_process_that_stops_ends_its_streams_at_once(
    database_url: str, signing_key: RSAPrivateKey, sign: Sign
) -> None:
    """They are told so, and do not keep the process for as long as their tokens are good."""
    port = unused_port()
    headers = {"Authorization": f"Bearer {sign('user_1')}", "Accept": "text/event-stream"}
    async with (
        running(database_url, port, signing_key) as process,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get("/v1/changes", headers=headers) as stream,
    ):
        assert b"retry" in await stream.content.readline()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            text = await stream.text()
            _, stderr = await process.communicate()

    lines = [json.loads(line) for line in stderr.splitlines()]
    assert 'event: end\ndata: {"code":"SHUTTING_DOWN"' in text
    assert process.returncode == 0
    assert [line["message"] for line in lines][-1] == "request_served"


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until `condition` holds in another process."""
    while not await condition():  # noqa: ASYNC110 - other processes set no events
        await asyncio.sleep(0.02)


async def is_listening(port: int) -> bool:
    """Say whether connections to `port` are accepted."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def is_refusing(port: int) -> bool:
    """Say whether connections to `port` are refused."""
    return not await is_listening(port)
