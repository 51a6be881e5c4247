"""Rate limits that processes share through a real Redis, and how they do without it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import httpx
import pytest
from aiohttp.test_utils import unused_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from tests.debian import find_program
from tests.integration.http.conftest import NOBODY
from tests.integration.http.test_limits import DECISIONS, ask
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.integration.http.conftest import Open

LOOPBACK = IPv4Address("127.0.0.1")
FAILURES = "clerkwork_rate_limit_failures_total"


class Redis:
    """A Redis server that can go away and come back at the same address."""

    def __init__(self, folder: Path, *extra: str) -> None:
        self.port = unused_port()
        self.url = SecretStr(f"redis://127.0.0.1:{self.port}/0")
        self._command = (
            find_program("redis-server", package="redis-server"),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
            *extra,
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Return when it answers."""
        self._process = subprocess.Popen(  # noqa: S603, ASYNC220  # a program of Debian's, at once
            self._command, stdout=subprocess.DEVNULL
        )
        await until(self._answers, bool)

    def send(self, number: signal.Signals) -> None:
        """Freeze or thaw it."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Take it away."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        return answer == b"+PONG\r\n"


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    """A Redis of this test's own."""
    server = Redis(tmp_path)
    await server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def process(redis: Redis, pem: str) -> Iterator[str]:
    """Run an API as production does, and return its address."""
    port = unused_port()
    environment = os.environ | {
        "API_PORT": str(port),
        "API_RATE_LIMITS": "show_me=10/hour/ip",
        "CLERK_JWT_KEY": pem,
        "DATABASE_URL": f"postgresql://nobody@{NOBODY}/none",
        "REDIS_URL": redis.url.get_secret_value(),
    }
    server = subprocess.Popen(  # our own process
        (sys.executable, "-m", "api"), env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


async def test_processes_share_a_limit(redis: Redis, public_pem: str) -> None:
    """Two of them let through together what one would."""
    with process(redis, public_pem) as one, process(redis, public_pem) as two:
        async with httpx.AsyncClient() as http:
            for address in (one, two):
                await until(partial(_lives, http, address), bool)
            answers = await asyncio.gather(
                *(http.get(f"{address}/v1/me") for address in (one, two) * 10)
            )

    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 10


async def _lives(http: httpx.AsyncClient, address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await http.get(f"{address}/livez")).is_success
    return False


async def test_a_limit_in_redis_says_the_same(redis: Redis, open_api: Open) -> None:
    """The headers do not depend on where requests are counted."""
    async with open_api(api_rate_limits="show_me=2/minute/ip", redis_url=redis.url) as front:
        answers = [await ask(front) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers] == [
        '"show_me-ip";r=1',
        '"show_me-ip";r=0',
        '"show_me-ip";r=0',
    ]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 61


async def test_redis_by_tls(tmp_path: Path, open_api: Open) -> None:
    """As managed ones ask for; one whose certificate nobody vouches for counts for nothing."""
    port, certificate, key = unused_port(), tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    files = ("--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no")
    server = Redis(tmp_path, "--tls-port", str(port), *map(str, files))
    await server.start()
    url = f"rediss://127.0.0.1:{port}/0"
    try:
        trusting = SecretStr(f"{url}?ssl_ca_certs={certificate}")
        async with open_api(api_rate_limits="show_me=1/hour/ip", redis_url=trusting) as front:
            counted = [(await ask(front)).status_code for _ in range(2)]
        doubting = SecretStr(url)
        async with open_api(api_rate_limits="show_me=1/hour/ip", redis_url=doubting) as front:
            uncounted = [(await ask(front)).status_code for _ in range(2)]
    finally:
        server.stop()

    assert (counted, uncounted) == ([401, 429], [401, 401])


def write_certificate(certificate: Path, key: Path) -> None:
    """Write one for this machine that vouches for itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


async def test_without_redis_nobody_is_kept_out(redis: Redis, open_api: Open) -> None:
    """Nobody waits for it either; when it is back, it counts again."""
    async with open_api(api_rate_limits="show_me=1/hour/ip", redis_url=redis.url) as front:
        assert [(await ask(front)).status_code for _ in range(2)] == [401, 429]
        redis.stop()
        started = time.monotonic()
        away = [await ask(front) for _ in range(50)]
        took_s = time.monotonic() - started
        failures = await front.metric(FAILURES)
        unchecked = await front.metric(f'{DECISIONS}{{limit="show_me-ip",outcome="unchecked"}}')
        await redis.start()

        async def status() -> int:
            return (await ask(front)).status_code

        assert {answer.status_code for answer in away} == {401}
        assert "RateLimit" not in away[0].headers
        assert took_s < 8  # each of 50 may wait for 0.5 s
        assert failures >= 1
        assert unchecked == 50
        assert await until(status, lambda found: found == 429) == 429


async def test_a_frozen_redis_holds_nobody_up(redis: Redis, open_api: Open) -> None:
    """One that accepts connections and never answers is away as well."""
    async with open_api(api_rate_limits="show_me=1/hour/ip", redis_url=redis.url) as front:
        await ask(front)
        redis.send(signal.SIGSTOP)
        try:
            started = time.monotonic()
            statuses = {(await ask(front)).status_code for _ in range(50)}
            took_s = time.monotonic() - started
        finally:
            redis.send(signal.SIGCONT)

    assert statuses == {401}
    assert took_s < 8  # each of 50 may wait for 0.5 s


async def test_a_redis_that_was_never_there_is_no_obstacle(open_either: Open) -> None:
    """The service starts, and serves."""
    url = SecretStr(f"redis://{NOBODY}")
    async with open_either(redis_url=url) as front:
        assert (await ask(front, "/none")).status_code == 404
        assert await front.metric(FAILURES) == 1
