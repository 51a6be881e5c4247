"""TLS everywhere, against real servers with real certificates.

First all of clerkwork as docs/how-to/encrypt.md says; then servers that are not what they should
be, or do not believe us: that is said in words, and waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from api.app import build_app as build_api
from api.settings import ApiSettings
from deploy.canary.run import fly_once
from deploy.canary.settings import CanarySettings
from deploy.doctor.checks import CHECKS
from deploy.doctor.examine import examine
from deploy.doctor.kafka import check_kafka
from deploy.doctor.verdict import Status
from deploy.prepare import compare_topics, prepare_database
from deploy.stack.ports import LOOPBACK, free_port
from deploy.tokens import mint_token, new_private_key, public_key
from ingest.app import build_app as build_ingest
from ingest.settings import IngestSettings
from schema.kafka.connections import connection_arguments
from schema.ops.settings import KafkaSettings, read_settings
from tests.factories import SECRET, new_user_id, sign, user_event
from tests.integration.tls.cases import KAFKA, POSTGRES
from tests.integration.tls.conftest import KEY, run_console
from tests.integration.tls.kafka import PASSWORD
from tests.integration.tls.postgres import CERTIFIED
from tests.waiting import until
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from deploy.services import Services
    from tests.conftest import Servers
    from tests.integration.tls.conftest import Secured

CLEAR: Final = """
    SELECT application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
    WHERE backend_type = 'client backend' AND NOT ssl
"""
CONNECTED: Final = "SELECT DISTINCT application_name FROM pg_stat_activity"


@pytest.mark.usefixtures("exported")
async def test_the_whole_way_is_encrypted(
    secured: Secured, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signed webhook comes out of the API, a canary out of the change topic; nothing in clear."""
    user = new_user_id()
    body = user_event(user, at=0)
    token = mint_token(KEY, user_id=user, minutes=5)
    ingest, api = (services.named[name].url for name in ("ingest", "api"))
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{ingest}/webhooks/clerk", data=body, headers=sign(body)) as taken:
            assert taken.status == 202

        async def ask() -> object:
            asked = {"Authorization": f"Bearer {token}"}
            async with http.get(f"{api}/v1/me", headers=asked) as answer:
                return (await answer.json()).get("clerk_id")

        await until(ask, lambda found: found == user)
    monkeypatch.setenv("CANARY_INGEST_URL", f"{ingest}/webhooks/clerk")
    monkeypatch.setenv("CANARY_API_URL", api)
    flight = await fly_once(read_settings(CanarySettings))
    connection = await asyncpg.connect(secured.database_url())
    clear = await connection.fetch(CLEAR)
    names = {row["application_name"] for row in await connection.fetch(CONNECTED)}
    await connection.close()
    logged = "".join(each.log.read_text("utf-8") for each in services.named.values())

    assert flight.lost_at is None
    assert clear == []
    assert {"clerkwork-worker", "clerkwork-relay"} <= names
    for secret in (PASSWORD, secured.postgres.password, SECRET, "Traceback"):
        assert secret not in logged


@pytest.mark.usefixtures("exported", "services")
async def test_the_doctor_reaches_both() -> None:
    """Nothing of Kafka's or PostgreSQL's is wrong, or was left out because nobody was reached."""
    with capture_logs():
        findings = await examine(CHECKS, bound_s=30)

    assert [each for each in findings if each.verdict.status is Status.WRONG] == []
    assert [each for each in findings if "is not reached" in each.verdict.found] == []


@pytest.mark.usefixtures("exported", "services")
async def test_commands_reach_both() -> None:
    """Those that read Kafka, those that read PostgreSQL, and those that read both."""
    for words in ("topics diff", "dlq list", "trace msg_nobody"):
        ended = await asyncio.to_thread(run_console, *words.split())
        assert ended == int(words.startswith("trace"))  # of which nothing is known


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


@pytest.mark.parametrize("case", KAFKA)
async def test_a_kafka_that_is_not_right_is_waited_for(
    case: str, secured: Secured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ingest serves, is not ready, and logs why, with no password and no stack; the doctor tells.

    But where Kafka refuses us: there the client says less, and only to its own log.
    """
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
    verdict = await check_kafka()

    assert ready == (503, {"kafka": "no connection to Kafka"})
    assert verdict.status is Status.WRONG
    assert words in verdict.found or case in {"wrong password", "no certificate of ours"}
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
