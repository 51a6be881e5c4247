"""Both services behind their real doors, on real sockets, without Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from api.app import build_app as build_api
from api.settings import ApiSettings
from ingest.app import build_app as build_ingest
from ingest.settings import IngestSettings
from schema.http.serving.serve import Runner
from tests.factories import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from schema.http.settings import HttpSettings

    Open = Callable[..., AbstractAsyncContextManager["Front"]]
    Sign = Callable[[str], str]

NOBODY: Final = "127.0.0.1:1"
"""Where neither Kafka nor PostgreSQL is."""


@dataclass(frozen=True)
class Front:
    """One service, as its clients see it."""

    port: int
    http: httpx.AsyncClient

    async def speak(self, *parts: bytes, within_s: float = 10.0) -> bytes:
        """Send `parts`, each in a packet of its own, and return what comes back until the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        heard = asyncio.create_task(_listen(reader))
        try:
            for part in parts:
                if heard.done():
                    break
                writer.write(part)
                await asyncio.sleep(0.02)  # else the kernel may put them together
            async with asyncio.timeout(within_s):
                return await heard
        finally:
            heard.cancel()
            writer.close()

    async def metric(self, series: str) -> float:
        """Return the value of a series."""
        text = (await self.http.get("/metrics")).text
        return next(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith(f"{series} ")
        )


async def _listen(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    with contextlib.suppress(ConnectionError):  # who speaks on is cut off
        while chunk := await reader.read(65536):
            heard += chunk
    return heard


@asynccontextmanager
async def behind_door(app: web.Application, settings: HttpSettings) -> AsyncIterator[Front]:
    """Serve `app` as production does, on a free port."""
    runner = Runner(app, settings)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            yield Front(port, http)
    finally:
        await runner.cleanup()


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    """Stand for the key that only Clerk has."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def sign(signing_key: rsa.RSAPrivateKey) -> Sign:
    """Return a function that makes a session token of a Clerk user."""

    def sign(clerk_id: str) -> str:
        now = int(time.time())
        claims = {"exp": now + 60, "iat": now, "sub": clerk_id, "sid": "sess_1"}
        return jwt.encode(claims, signing_key, algorithm="RS256", headers={"kid": "ins_1"})

    return sign


@pytest.fixture(scope="session")
def public_pem(signing_key: rsa.RSAPrivateKey) -> str:
    """The key's public half."""
    return (
        signing_key.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.fixture
def open_api(public_pem: str) -> Open:
    """Return a context manager that serves the API."""

    def open_api(**changes: Any) -> AbstractAsyncContextManager[Front]:
        url = SecretStr(f"postgresql://nobody@{NOBODY}/none")
        settings = ApiSettings(database_url=url, clerk_jwt_key=public_pem, **changes)
        return behind_door(build_api(settings), settings)

    return open_api


@pytest.fixture
def open_ingest() -> Open:
    """Return a context manager that serves ingest."""

    def open_ingest(**changes: Any) -> AbstractAsyncContextManager[Front]:
        settings = IngestSettings(
            kafka_bootstrap_servers=NOBODY,
            clerk_webhook_signing_secret=(SecretStr(SECRET),),
            **changes,
        )
        return behind_door(build_ingest(settings), settings)

    return open_ingest


@pytest.fixture(params=["api", "ingest"])
def open_either(request: pytest.FixtureRequest) -> Open:
    """Return a context manager that serves the one, then the other."""
    found: Open = request.getfixturevalue(f"open_{request.param}")
    return found


@pytest.fixture
async def either(open_either: Open) -> AsyncIterator[Front]:
    """Each of the two services."""
    async with open_either() as front:
        yield front
