"""Servers that are not what they should be, or do not believe us: said in words, and waited for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from api.app import build_app as build_api
from api.settings import ApiSettings
from deploy.prepare import compare_topics, prepare_database
from deploy.stack.ports import LOOPBACK, free_port
from deploy.tokens import new_private_key, public_key
from ingest.app import build_app as build_ingest
from ingest.settings import IngestSettings
from schema.kafka.connections import connection_arguments
from schema.ops.settings import KafkaSettings, read_settings
from tests.factories import SECRET
from tests.integration.tls.kafka import PASSWORD
from tests.integration.tls.postgres import CERTIFIED
from tests.waiting import until
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from tests.conftest import Servers
    from tests.integration.tls.conftest import Secured


def _export(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@contextlib.asynccontextmanager
async def _asked(app: web.Application) -> AsyncIterator[Callable[[], Any]]:
    """Run an application while the context lasts; have what asks whether it is ready."""
    async with TestClient(TestServer(app)) as client:

        async def ask() -> tuple[int, dict[str, str]]:
            async with client.get("/readyz") as answer:
                return answer.status, (await answer.json())["checks"]

        yield ask


KAFKA: dict[str, tuple[Callable[[Secured], dict[str, str]], str]] = {
    "another authority": (
        lambda secured: secured.kafka_variables(KAFKA_SSL_CAFILE=str(secured.stranger.file)),
        "unable to get local issuer certificate",
    ),
    "another name": (
        lambda secured: secured.kafka_variables(
            KAFKA_BOOTSTRAP_SERVERS=secured.kafka.servers("SASL_SSL", host=LOOPBACK)
        ),
        "IP address mismatch",
    ),
    "expired": (lambda secured: secured.kafka_variables("EXPIRED"), "certificate has expired"),
    "no TLS": (
        lambda secured: secured.kafka_variables(
            KAFKA_BOOTSTRAP_SERVERS=secured.kafka.bootstrap_servers
        ),
        "has not answered: is it TLS that it speaks there?",
    ),
    "no certificate of ours": (
        lambda secured: secured.kafka_variables("MUTUAL", KAFKA_SECURITY_PROTOCOL="SSL"),
        "CERTIFICATE_REQUIRED",
    ),
    "wrong password": (
        lambda secured: secured.kafka_variables(KAFKA_SASL_PASSWORD="k-wrong"),
        "SaslAuthenticationFailed",
    ),
}


@pytest.mark.parametrize("case", KAFKA)
async def test_a_kafka_that_is_not_right_is_waited_for(
    case: str, secured: Secured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ingest serves, is not ready, and logs why, with no password and no stack."""
    choose, words = KAFKA[case]
    _export(monkeypatch, CLERK_WEBHOOK_SIGNING_SECRET=SECRET, **choose(secured))
    settings = read_settings(IngestSettings)
    for name in ("aiokafka", "schema.ops.tls"):  # the console makes them silent
        caplog.set_level("WARNING", logger=name)
    with capture_logs() as lines:
        async with _asked(build_ingest(settings)) as ask:

            async def said() -> str:
                logged = [each.getMessage() for each in caplog.records if each.name != "asyncio"]
                return "\n".join([*logged, *map(str, lines)])

            await until(said, lambda told: words in told and "kafka_unreachable" in told)
            ready = await ask()
    told = await said()

    assert ready == (503, {"kafka": "no connection to Kafka"})
    for secret in (PASSWORD, "k-wrong", SECRET, "Traceback"):
        assert secret not in told


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512", "certificate"])
async def test_kafka_lets_in_whoever_proves_who_they_are(
    mechanism: str, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a password in either way, or by a certificate alone."""
    variables = secured.kafka_variables(KAFKA_SASL_MECHANISM=mechanism)
    if mechanism == "certificate":
        variables = {
            "KAFKA_BOOTSTRAP_SERVERS": secured.kafka.servers("MUTUAL"),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CAFILE": str(secured.trusted.file),
            "KAFKA_SSL_CERTFILE": str(secured.client.file),
            "KAFKA_SSL_KEYFILE": str(secured.client.key_file),
        }
    _export(monkeypatch, **variables)
    differences = await compare_topics(connection_arguments(read_settings(KafkaSettings)))

    assert {each.setting for each in differences} <= {"topic"}


POSTGRES: dict[str, tuple[Callable[[Secured], str], str]] = {
    "another authority": (
        lambda secured: secured.database_url(authority=secured.stranger),
        "SSLCertVerificationError: ",
    ),
    "another name": (
        lambda secured: secured.database_url(host=LOOPBACK),
        "SSLCertVerificationError: IP address mismatch",
    ),
    "wrong password": (
        lambda secured: secured.database_url(user="clerkwork:p-wrong"),
        "InvalidPasswordError",
    ),
    "no certificate of ours": (
        lambda secured: secured.database_url(user=CERTIFIED),
        "InvalidAuthorizationSpecificationError",
    ),
}


@pytest.mark.parametrize("case", POSTGRES)
async def test_a_postgresql_that_is_not_right_is_waited_for(
    case: str, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API serves, is not ready, and logs why, with no password and no stack."""
    choose, words = POSTGRES[case]
    told = await _api_says(choose(secured), monkeypatch)

    assert words in told
    assert secured.postgres.password not in told
    assert "p-wrong" not in told


async def test_a_postgresql_without_tls_gets_no_password(
    servers: Servers, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify-full` never falls back to a connection that anybody can read."""
    query = f"sslmode=verify-full&sslrootcert={secured.trusted.file}"
    told = await _api_says(f"{servers.database_url}?{query}", monkeypatch)

    assert "rejected SSL upgrade" in told


async def _api_says(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    key = public_key(new_private_key())
    _export(monkeypatch, DATABASE_URL=database_url, CLERK_JWT_KEY=key, API_CACHE_WARM="0")
    with capture_logs() as lines:
        async with _asked(build_api(read_settings(ApiSettings))) as ask:
            status, checks = await ask()
    assert (status, checks["database"]) == (503, "PostgreSQL does not answer")
    assert not [each for each in lines if each["log_level"] in {"error", "critical"}]
    return "\n".join(map(str, lines))


async def test_a_certificate_alone_lets_in(secured: Secured) -> None:
    """PostgreSQL knows a user by the name in the certificate."""
    admin = await asyncpg.connect(secured.database_url())
    await admin.execute(f"CREATE ROLE {CERTIFIED} LOGIN")
    more = f"&sslcert={secured.client.file}&sslkey={secured.client.key_file}"
    connection = await asyncpg.connect(secured.database_url(user=CERTIFIED, more=more))
    found = await connection.fetchval("SELECT session_user::text")
    await connection.close()
    await admin.execute(f"DROP ROLE {CERTIFIED}")
    await admin.close()

    assert found == CERTIFIED


async def test_who_waits_goes_on_when_the_certificate_is_renewed(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay says what is wrong while it is, and needs no restart; the console does not wait."""
    port = free_port()
    url = secured.database_url()
    _export(
        monkeypatch, DATABASE_URL=url, RELAY_METRICS_PORT=str(port), **secured.kafka_variables()
    )
    secured.postgres.show(secured.expired)
    admin = await asyncpg.connect(url)

    async def look(http: aiohttp.ClientSession) -> str:
        async with http.get(f"http://{LOOPBACK}:{port}/readyz") as answer:
            return str((await answer.json())["checks"]["postgres"])

    try:
        await admin.execute("SELECT pg_reload_conf()")
        await until(lambda: _is_expired(url), bool)
        async with running_relay(read_settings(RelaySettings)), aiohttp.ClientSession() as http:
            away = await look(http)
            with pytest.raises(Exception, match="certificate has expired"):
                await prepare_database(url)
            secured.postgres.show(secured.server)
            await admin.execute("SELECT pg_reload_conf()")
            await until(lambda: look(http), lambda words: words == "ok")
    finally:
        secured.postgres.show(secured.server)
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()

    words = "SSLCertVerificationError: certificate has expired"
    assert away == f"PostgreSQL does not answer ({words})"


async def _is_expired(url: str) -> bool:
    try:
        await (await asyncpg.connect(url)).close()
    except OSError:
        return True
    return False
