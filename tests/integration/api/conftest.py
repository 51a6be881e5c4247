"""The real API over a real database, and callers with tokens that it believes."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from api.app import build_app
from api.settings import ApiSettings
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
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


@pytest.fixture
def serve(signing_key: rsa.RSAPrivateKey, sign: Sign) -> Serve:
    """Return a context manager that serves the API on a free port, and gives a client of it."""
    pem = signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @asynccontextmanager
    async def serve(url: str, **changes: object) -> AsyncIterator[Client]:
        values: dict[str, Any] = {"clerk_jwt_key": pem.decode(), "clerk_issuer": ISSUER} | changes
        settings = ApiSettings(database_url=SecretStr(url), **values)
        async with TestClient(TestServer(build_app(settings))) as http:
            yield Client(http, sign)

    return serve


@pytest.fixture
async def client(serve: Serve, database_url: str) -> AsyncIterator[Client]:
    """Serve the API over the test's database."""
    async with serve(database_url) as client:
        yield client


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


@pytest.fixture
def users(database: asyncpg.Connection[asyncpg.Record]) -> Users:
    """Return what writes into the table of users."""
    return Users(database)
