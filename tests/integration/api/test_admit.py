"""The gate, over a real database: sessions that end, machines, moments and outages."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import SecretStr
from yarl import URL

from api.admit import GATE
from api.app import build_app
from api.settings import ApiSettings
from deploy.tokens import mint_machine_token
from schema.http.tokens.claims import READ_SCOPE
from schema.postgres.ids import derive_id
from tests.integration.api.conftest import ISSUER
from tests.links import forwarding
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tests.integration.api.conftest import Sign, Users

    Open = Callable[..., AbstractAsyncContextManager["Door"]]

ENDED = ("ended", "removed", "revoked", "replaced", "expired", "abandoned")


class Door:
    """The API with routes that say whom the gate lets in."""

    def __init__(self, http: TestClient[Any, Any]) -> None:
        self.http = http
        self.gate = http.app[GATE] if http.app else None

    async def knock(self, token: str, path: str = "/whoami") -> tuple[int, Any]:
        """Return the status and what the gate says of the bearer."""
        async with self.http.get(path, headers={"Authorization": f"Bearer {token}"}) as response:
            body = await response.json()
            return response.status, body.get("error", body)

    async def metric(self, series: str) -> float:
        """Return the value of a series."""
        async with self.http.get("/metrics") as response:
            text = await response.text()
        (line,) = (each for each in text.splitlines() if each.startswith(f"{series} "))
        return float(line.split()[-1])


@pytest.fixture
def open_door(signing_key: RSAPrivateKey) -> Open:
    """Return a context manager that serves those routes."""
    pem = signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    async def show(request: web.Request) -> web.Response:
        viewer = await request.app[GATE].admit(request)
        return web.json_response({"sees_all": viewer.sees_all, "known": bool(viewer.standing)})

    async def show_public(request: web.Request) -> web.Response:
        viewer = await request.app[GATE].admit_for_public(request)
        return web.json_response({"sees_all": viewer.sees_all, "known": bool(viewer.standing)})

    async def show_own(request: web.Request) -> web.Response:
        (await request.app[GATE].admit(request)).require_user()
        return web.json_response({})

    @asynccontextmanager
    async def open_door(url: str, **changes: object) -> AsyncIterator[Door]:
        values: dict[str, Any] = {"clerk_jwt_key": pem.decode(), "clerk_issuer": ISSUER} | changes
        app = build_app(ApiSettings(database_url=SecretStr(url), **values))
        app.router.add_get("/whoami", show)
        app.router.add_get("/public", show_public)
        app.router.add_get("/own", show_own)
        async with TestClient(TestServer(app)) as http:
            yield Door(http)

    return open_door


async def add_session(users: Users, session: str, status: str, *, user: str = "user_1") -> None:
    """Insert a session, as workers would."""
    now = datetime.now(UTC)
    await users.connection.execute(
        """
        INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at,
            version, version_timestamp, version_event_id)
        VALUES ($1, $2, $3, $4, $5, $5, 1, 1, 'msg_1')
        ON CONFLICT (id) DO UPDATE SET status = excluded.status
        """,
        *(derive_id(session), session, derive_id(user), status, now),
    )


@pytest.mark.parametrize("status", ENDED)
async def test_no_token_outlives_its_session(
    open_door: Open, database_url: str, users: Users, sign: Sign, status: str
) -> None:
    """However it ended: 401 as soon as we know; other sessions of the user go on."""
    await users.add("user_1")
    await add_session(users, "sess_1", status)
    await add_session(users, "sess_2", "active")
    async with open_door(database_url) as door:
        ended, error = await door.knock(sign("user_1"))
        other, _ = await door.knock(sign("user_1", sid="sess_2"))
        unknown, _ = await door.knock(sign("user_1", sid="sess_3"))

        assert (ended, other, unknown) == (401, 200, 200)
        assert (error["code"], error["details"]) == (
            "UNAUTHENTICATED",
            {"reason": "session_ended"},
        )
        series = 'clerkwork_sign_ins_refused_total{reason="session_ended"}'
        assert await door.metric(series) == 1


async def test_a_session_that_ends_is_out_within_the_moment(
    open_door: Open, database_url: str, users: Users, sign: Sign
) -> None:
    """Kept until then, or until somebody tells of the change."""
    await users.add("user_1")
    await add_session(users, "sess_1", "active")
    async with open_door(database_url, api_standing_ttl_s=5) as door:
        assert (await door.knock(sign("user_1")))[0] == 200
        await add_session(users, "sess_1", "revoked")

        assert (await door.knock(sign("user_1")))[0] == 200
        assert door.gate
        door.gate.forget(derive_id("user_1"))
        assert (await door.knock(sign("user_1")))[0] == 401

    async with open_door(database_url, api_standing_ttl_s=0.05) as door:
        await add_session(users, "sess_1", "active")
        assert (await door.knock(sign("user_1")))[0] == 200
        await add_session(users, "sess_1", "revoked")
        await until(lambda: door.knock(sign("user_1")), lambda seen: seen[0] == 401, within_s=2)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ("UPDATE sessions SET status = 'revoked'", 401),
        ("UPDATE users SET status = 'banned'", 403),
    ],
)
async def test_a_remembered_token_is_worth_what_its_session_is(
    open_door: Open, database_url: str, users: Users, sign: Sign, change: str, refused: int
) -> None:
    """The same token, verified a moment ago: refused within API_STANDING_TTL_S all the same."""
    await users.add("user_1")
    await add_session(users, "sess_1", "active")
    token = sign("user_1")
    async with open_door(database_url, api_standing_ttl_s=0.2) as door:
        assert (await door.knock(token))[0] == 200
        assert (await door.knock(token))[0] == 200
        await users.connection.execute(change)
        seen = await until(lambda: door.knock(token), lambda seen: seen[0] != 200, within_s=2)

    assert seen[0] == refused


async def test_a_request_normally_costs_no_statement(
    open_door: Open, database_url: str, users: Users, sign: Sign
) -> None:
    """A hundred of one session within the moment: one."""
    await users.add("user_1", role="admin")
    async with open_door(database_url, api_standing_ttl_s=5) as door:
        answers = await asyncio.gather(*(door.knock(sign("user_1")) for _ in range(100)))

        assert answers == [(200, {"sees_all": True, "known": True})] * 100
        count = 'clerkwork_query_seconds_count{statement="read_callers"}'
        assert await door.metric(count) == 1


async def test_a_scope_in_a_session_token_sees_all(
    open_door: Open, database_url: str, users: Users, sign: Sign
) -> None:
    """Only the instance's owner decides what Clerk writes there; a ban is stronger."""
    await users.add("user_1")
    await users.add("user_2", status="banned")
    async with open_door(database_url) as door:
        scoped = await door.knock(sign("user_1", scope=READ_SCOPE))
        plain = await door.knock(sign("user_1", scope="clerkwork:write"))
        banned, error = await door.knock(sign("user_2", sid="sess_2", scope=READ_SCOPE))

    assert (scoped[1]["sees_all"], plain[1]["sees_all"]) == (True, False)
    assert (banned, error["code"]) == (403, "USER_BANNED")


@pytest.fixture
def machine(signing_key: RSAPrivateKey) -> Callable[..., str]:
    """Return what makes a machine's token, as `clerkwork token --machine` does."""
    pem = signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def mint(*scopes: str) -> str:
        return mint_machine_token(pem, machine_id="mch_1", minutes=1, scopes=scopes, issuer=ISSUER)

    return mint


async def test_a_machine_with_the_scope_reads_everything(
    open_door: Open, database_url: str, machine: Callable[..., str]
) -> None:
    """It needs no row; what is for users alone is not for it."""
    async with open_door(database_url, clerk_machine_tokens=True) as door:
        seen = await door.knock(machine("other", READ_SCOPE))
        own, error = await door.knock(machine(READ_SCOPE), "/own")

    assert seen == (200, {"sees_all": True, "known": False})
    assert (own, error["code"]) == (403, "USERS_ONLY")


async def test_a_machine_without_the_scope_is_told_which(
    open_door: Open, database_url: str, machine: Callable[..., str]
) -> None:
    """As RFC 6750 has it."""
    async with open_door(database_url, clerk_machine_tokens=True) as door:
        headers = {"Authorization": f"Bearer {machine('other')}"}
        async with door.http.get("/whoami", headers=headers) as response:
            error = (await response.json())["error"]

    assert (response.status, error["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert response.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_scope", scope="clerkwork:read"'
    )


async def test_machines_are_turned_on_by_the_operator(
    open_door: Open, database_url: str, machine: Callable[..., str]
) -> None:
    """Until then their tokens are nobody's session."""
    async with open_door(database_url) as door:
        status, error = await door.knock(machine(READ_SCOPE))

    assert (status, error["details"]) == (401, {"reason": "not_a_session"})


async def test_while_the_database_is_away_public_things_go_on(
    open_door: Open, database_url: str, users: Users, sign: Sign
) -> None:
    """The last standing known counts; who was shut out stays out; strangers are plain users."""
    for user, columns in {
        "user_1": {"role": "admin"},
        "user_2": {"status": "banned"},
        "user_3": {},
    }.items():
        await users.add(user, **columns)
    await add_session(users, "sess_3", "ended", user="user_3")
    url, port = URL(database_url), unused_port()
    tokens = {each: sign(f"user_{each}", sid=f"sess_{each}") for each in (1, 2, 3, 4)}
    proxied = str(url.with_host("127.0.0.1").with_port(port))
    async with open_door(proxied, api_standing_ttl_s=0, api_acquire_s=0.5) as door:
        async with forwarding(port, url):
            before = [(await door.knock(tokens[each], "/public"))[0] for each in (1, 2, 3)]
            assert door.gate
        # The proxy is gone: no connection can be opened, and those that there were are cut.
        after = {each: await door.knock(token, "/public") for each, token in tokens.items()}
        private = await door.knock(tokens[1])

        assert before == [200, 403, 401]
        assert after[1] == (200, {"sees_all": True, "known": True})
        assert (after[2][0], after[3][0]) == (403, 401)
        assert after[4] == (200, {"sees_all": False, "known": False})
        assert (private[0], private[1]["code"]) == (503, "DATABASE_UNAVAILABLE")
