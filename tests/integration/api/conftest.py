"""The real API over a real database, and callers with tokens that it believes."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt
import pytest
from aiohttp.test_utils import TestClient
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from api.app import build_app
from api.settings import ApiSettings
from schema.postgres.ids import derive_id
from tests.documenting import watch
from tests.serving import Server
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    import asyncpg
    from aiohttp import ClientResponse

    Sign = Callable[..., str]
    Serve = Callable[..., AbstractAsyncContextManager["Client"]]

ISSUER = "https://clerk.example.com"


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    """Stand for the key that only Clerk has."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def sign(signing_key: rsa.RSAPrivateKey) -> Sign:
    """Return a function that makes a session token of a Clerk user."""

    def sign(clerk_id: str, **claims: object) -> str:
        now = int(time.time())
        session = {"exp": now + 60, "iat": now, "iss": ISSUER, "sub": clerk_id, "sid": "sess_1"}
        return jwt.encode(
            session | claims, signing_key, algorithm="RS256", headers={"kid": "ins_1"}
        )

    return sign


@dataclass(frozen=True)
class Client:
    """Calls the API as somebody."""

    http: TestClient[Any, Any]
    token: Sign

    async def get(
        self, path: str, *, by: str | None = None, method: str = "GET", **headers: str
    ) -> ClientResponse:
        """Ask for `path` in the name of `by`; header names are written with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if by:
            sent["Authorization"] = f"Bearer {self.token(by)}"
        response = await self.http.request(method, path, headers=sent)
        await response.read()
        return response

    @asynccontextmanager
    async def stream(
        self, *, by: str, since: str = "now", token: str | None = None, **headers: str
    ) -> AsyncIterator[Stream]:
        """Follow the changes in the name of `by`; leaving cuts the connection."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {
            "Authorization": f"Bearer {token or self.token(by)}",
            "Accept": "text/event-stream",
        }
        async with self.http.get(f"/v1/changes?since={since}", headers=sent) as response:
            assert response.status == 200, await response.text()
            yield Stream(response)
            response.close()

    async def cursor(self, *, by: str) -> str:
        """Return the cursor of now."""
        response = await self.get("/v1/changes?since=now", by=by)
        return (await response.json())["next_cursor"]

    async def metric(self, name: str) -> float:
        """Return the value of a series."""
        text = await (await self.get("/metrics")).text()
        (line,) = (each for each in text.splitlines() if each.startswith(f"{name} "))
        return float(line.split()[-1])


@pytest.fixture(scope="session")
def public_pem(signing_key: rsa.RSAPrivateKey) -> str:
    """The key's public half."""
    key = signing_key.public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


PLAIN: Final[Mapping[str, object]] = {
    "clerk_issuer": ISSUER,
    # Tests write rows of which nothing is told, and ask at once, as often as they like.
    "api_standing_ttl_s": 0,
    "api_cache_max_bytes": 0,
    "api_rate_limits": "off",
}
"""How the API is served unless a test says otherwise: nothing is kept, nobody turned away."""


@pytest.fixture(scope="session")
def serve(public_pem: str, sign: Sign) -> Serve:
    """Return a context manager that serves the API on a free port, and gives a client of it."""

    @asynccontextmanager
    async def serve(url: str, **changes: object) -> AsyncIterator[Client]:
        values: dict[str, Any] = {"clerk_jwt_key": public_pem, **PLAIN, **changes}
        settings = ApiSettings(database_url=SecretStr(url), **values)
        app = build_app(settings)
        undocumented = watch(app, "api")
        async with TestClient(Server(app, settings)) as http:
            yield Client(http, sign)
        assert undocumented == []

    return serve


@pytest.fixture
async def client(serve: Serve, database_url: str) -> AsyncIterator[Client]:
    """Serve the API over the test's database."""
    async with serve(database_url) as client:
        yield client


@dataclass(frozen=True)
class Event:
    """What a stream has sent: an event, or with `type` None only an id."""

    id: str
    type: str | None
    data: Any

    @property
    def sequence(self) -> int:
        """The place of the change that it tells of."""
        return self.data["sequence"]


@dataclass
class Stream:
    """Reads server-sent events as a browser does."""

    response: ClientResponse
    last_id: str = ""

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield each block of the stream, until it ends."""
        kind, data, changed = None, "", False
        while line := await self.response.content.readline():
            name, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                self.last_id, changed = value, True
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not name and not value and (changed or data):
                yield Event(self.last_id, kind, json.loads(data) if data else None)
                kind, data, changed = None, "", False

    async def take(self, count: int) -> list[Event]:
        """Return the next so many changes."""
        found: list[Event] = []
        async with asyncio.timeout(30):
            async for event in self:
                if event.type:
                    found.append(event)
                if len(found) == count:
                    break
        return found

    async def begun(self) -> None:
        """Return once the stream has said where it is."""
        async with asyncio.timeout(30):
            async for _ in self:
                return

    async def end(self) -> dict[str, str]:
        """Read to the end, and return why it ended."""
        last = None
        async with asyncio.timeout(30):
            async for event in self:
                last = event
        assert last
        assert last.type == "end"
        return last.data


@dataclass(frozen=True)
class Outbox:
    """Tells of changes as workers would."""

    connection: asyncpg.Connection[asyncpg.Record]

    async def tell(
        self,
        owner: str = "user_1",
        *,
        key: str | None = None,
        kind: str = "clerkwork.user.updated",
        public: bool = False,
        state: object = None,
    ) -> int:
        """Put a change into the outbox, and return its position."""
        topic = "post.changes" if ".post." in kind else "user.changes"
        async with self.connection.transaction():
            await self.connection.execute("SELECT pg_advisory_xact_lock(6241358)")
            position = await self.connection.fetchval(
                """
                INSERT INTO outbox (position, topic, key, type, owner, public, state)
                SELECT greatest(
                    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                    (SELECT max(position) + 1 FROM outbox)
                ), $1, $2, $3, $4, $5, $6::text::json
                RETURNING position
                """,
                *(topic, key or owner, kind, owner, public),
                None if state is None else json.dumps(state),
            )
            await self.connection.execute(f"NOTIFY clerkwork_outbox, '{position}'")
        return position

    async def forget(self, up_to: int) -> None:
        """Let go what is old."""
        await self.connection.execute("DELETE FROM outbox WHERE position <= $1", up_to)
        await self.connection.execute(
            "INSERT INTO relay_progress VALUES ('outbox', $1, now(), $1)", up_to
        )


@pytest.fixture
def outbox(database: asyncpg.Connection[asyncpg.Record]) -> Outbox:
    """Return what writes into the outbox."""
    return Outbox(database)


@dataclass(frozen=True)
class Users:
    """Writes rows as workers would."""

    connection: asyncpg.Connection[asyncpg.Record]

    async def add(self, clerk_id: str, **columns: object) -> None:
        """Insert a user: active, created on 2026-01-01, unless `columns` say otherwise."""
        row = {
            "id": derive_id(clerk_id),
            "clerk_id": clerk_id,
            "status": "active",
            "email": f"{clerk_id}@example.com",
            "first_name": "Ada",
        } | columns
        names = ", ".join(row)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.connection.execute(
            f"INSERT INTO users ({names}) VALUES ({places})",  # noqa: S608 - names are the tests'
            *row.values(),
        )
        if "created_at" not in columns:
            await self.connection.execute(
                "UPDATE users SET created_at = '2026-01-01T00:00:00Z' WHERE clerk_id = $1",
                clerk_id,
            )

    async def until_followed(self) -> None:
        """Wait until the API listens for what workers write, and has looked."""
        query = """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'clerkwork-api-tail'
                AND state = 'idle' AND query LIKE '%next.position%'
        """
        await until(lambda: self.connection.fetchval(query), bool)


@pytest.fixture
def users(database: asyncpg.Connection[asyncpg.Record]) -> Users:
    """Return what writes into the table of users."""
    return Users(database)
