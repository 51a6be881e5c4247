"""The doctor, on a real system: well, and with each part ill."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from jwt.algorithms import RSAAlgorithm

from deploy.doctor.checks import CHECKS
from deploy.doctor.examine import examine
from deploy.doctor.verdict import Status, Verdict
from deploy.stack.ports import free_port
from deploy.standin.app import TEST_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from deploy.tokens import new_private_key, public_key
from schema.http.tokens.keys import parse_pem
from tests.factories import SECRET
from tests.leftovers import note_leftovers
from tests.waiting import until
from workers.app import running_worker
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def trouble() -> Trouble:
    """What is the matter with Clerk: nothing, until a test says so."""
    return Trouble()


@pytest.fixture
async def environment(
    bootstrap_servers: str,
    shared_database_url: str,
    trouble: Trouble,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[None]:
    """An environment with every part in it."""
    world = World()
    world.follow(lambda: time.time_ns() // 1_000_000)
    async with running_stand_in(world, trouble) as url:
        for name, value in {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "DATABASE_URL": shared_database_url,
            "CLERK_API_URL": url,
            "CLERK_SECRET_KEY": TEST_KEY,
            "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
            "CLERK_JWT_KEY": public_key(new_private_key()),
            "WORKER_METRICS_PORT": str(free_port()),
            "RELAY_METRICS_PORT": str(free_port()),
            "INGEST_PORT": str(free_port()),
            "API_PORT": str(free_port()),
        }.items():
            monkeypatch.setenv(name, value)
        yield


async def _ask(name: str, *, bound_s: float = 5.0) -> Verdict:
    [finding] = await examine([each for each in CHECKS if each.name == name], bound_s=bound_s)
    return finding.verdict


async def test_a_well_system_has_nothing_wrong(
    bootstrap_servers: str,
    database: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a worker and a relay; what is only missing in a trial is warned of."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    await database.execute(
        "INSERT INTO sweeps (kind, resource, started_at, noted_at, finished_at)"
        " SELECT kind, 'users', now(), now(), now()"
        " FROM unnest('{backfill,reconcile}'::text[]) AS kind"
    )
    await note_leftovers(bootstrap_servers, database)
    async with running_worker(WorkerSettings()), running_relay(RelaySettings()):
        await until(lambda: _ask("relay"), lambda verdict: verdict.status is Status.OK)
        await until(lambda: _ask("workers"), lambda verdict: verdict.status is Status.OK)
        await until(lambda: _ask("other groups"), lambda verdict: verdict.status is Status.OK)
        findings = {each.name: each.verdict for each in await examine(CHECKS)}

    assert {name: each for name, each in findings.items() if each.status is Status.WRONG} == {}
    skipped = {name for name, each in findings.items() if each.status is Status.SKIPPED}
    assert skipped - {"PostgreSQL's disk"} == {"ingest here", "API here", "Redis"}
    assert findings["worker here"].found == "lives, and is ready"
    assert findings["clock and Kafka's"].status is Status.OK
    assert findings["replication"].status is Status.WARNING
    assert TEST_KEY not in f"{findings}"
    assert SECRET not in f"{findings}"


async def test_a_system_at_rest_is_told_apart() -> None:
    """Without a worker and a relay nothing is applied and nothing told."""
    workers, relay = await _ask("workers"), await _ask("relay")
    backfill, reconcile = await _ask("backfill"), await _ask("reconcile")

    assert (workers.status, relay.status) == ("wrong", "wrong")
    assert (workers.fix or "").startswith("Start clerkwork worker")
    assert relay.fix == "Start clerkwork relay."
    assert backfill.fix == "Run clerkwork backfill."
    assert reconcile.fix == "Run clerkwork reconcile."


ILLS = (
    (
        "line",
        """INSERT INTO line_stops (topic, partition, rejects, events, reason, stopped_at)
        VALUES ('clerk.user-events', 0, 9, 9, 'because', now())""",
        *("wrong", "clerkwork line show"),
    ),
    (
        "dead letters",
        """INSERT INTO dead_letters (topic, partition, "offset", dead_at, error_class, attempts)
        VALUES ('clerk.user-events.dlq', 0, 0, now() - interval '3 h', 'bug', 1)""",
        *("warning", "clerkwork dlq list"),
    ),
    (
        "ledger",
        """DO $$ BEGIN EXECUTE format('DROP TABLE events_%s',
        to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')); END $$""",
        *("warning", "clerkwork maintain"),
    ),
    (
        "backfill",
        """INSERT INTO sweeps (kind, resource, started_at, noted_at)
        VALUES ('backfill', 'users', now(), now())""",
        *("warning", "goes on where it was"),
    ),
    (
        "reconcile",
        """INSERT INTO sweeps (kind, resource, started_at, noted_at, finished_at)
        SELECT 'reconcile', 'users', at, at, at FROM (SELECT now() - interval '9 d') AS x(at)""",
        *("warning", "every day, by cron"),
    ),
    ("dead letters", "DROP TABLE dead_letters", "skipped", "clerkwork migrate"),
    ("migrations", "DROP TABLE alembic_version", "wrong", "clerkwork migrate"),
)
"""Which check, what is done to the database, the verdict and a part of its fix."""


async def test_what_postgres_knows_is_told(
    database: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thing after the other is not as it should be."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    found = []
    for check, statement, _, _ in ILLS:
        await database.execute(statement)
        found.append(await _ask(check))

    assert [each.status for each in found] == [status for _, _, status, _ in ILLS]
    for verdict, (_, _, _, fix) in zip(found, ILLS, strict=True):
        assert fix in (verdict.fix or "")


async def test_a_user_without_rights_is_told(
    shared_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may connect and not read is no reason to crash."""
    database = await asyncpg.connect(shared_database_url)
    await database.execute("CREATE ROLE doctor_stranger LOGIN PASSWORD 'x'")
    try:
        place = shared_database_url.rpartition("@")[2]
        monkeypatch.setenv("DATABASE_URL", f"postgresql://doctor_stranger:x@{place}")
        verdict = await _ask("line")
    finally:
        await database.execute("DROP ROLE doctor_stranger")
        await database.close()

    assert verdict.status is Status.WRONG
    assert "SELECT" in (verdict.fix or "")


async def test_servers_that_are_away_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs them is skipped, and says why."""
    monkeypatch.setattr("deploy.doctor.patient.ANSWER_S", 0.5)
    nowhere = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", nowhere)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:sesame@{nowhere}/d")
    monkeypatch.setenv("CLERK_API_URL", f"http://{nowhere}/v1")

    findings = {each.name: each.verdict for each in await examine(CHECKS)}

    wrong = {name for name, each in findings.items() if each.status is Status.WRONG}
    assert wrong == {"Kafka", "PostgreSQL", "Clerk's API"}
    assert "KAFKA_BOOTSTRAP_SERVERS" in (findings["Kafka"].fix or "")
    assert "DATABASE_URL" in (findings["PostgreSQL"].fix or "")
    assert findings["relay"].found.startswith("PostgreSQL is not reached")
    assert findings["topics"].found.startswith("Kafka is not reached")
    assert "sesame" not in f"{findings}"


async def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing."""
    held: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1") as it:
        port = it.sockets[0].getsockname()[1]
        monkeypatch.setenv("DATABASE_URL", f"postgresql://u:p@127.0.0.1:{port}/d")
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
        postgres, kafka, line = await asyncio.gather(
            *(_ask(name, bound_s=0.3) for name in ("PostgreSQL", "Kafka", "line"))
        )
        for writer in held:
            writer.close()

    assert {each.status for each in (postgres, kafka, line)} == {Status.WRONG}
    assert "No answer" in kafka.found


async def test_a_key_that_clerk_does_not_accept_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its clock is then nobody's to tell."""
    monkeypatch.setenv("CLERK_SECRET_KEY", "sk_test_somebodyelses")

    key, clock = await _ask("Clerk's API"), await _ask("clock and Clerk's")

    assert (key.status, clock.status) == ("wrong", "skipped")
    assert "Copy it again" in (key.fix or "")
    assert "somebodyelses" not in f"{key}{clock}"


async def test_the_instance_is_held_against_what_is_expected(
    trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A production instance under a key for development, then another instance altogether."""
    trouble.environment_type = "production"
    kind = await _ask("Clerk's API")
    trouble.environment_type = "development"
    monkeypatch.setenv("CLERK_INSTANCE_ID", "ins_other")
    other = await _ask("Clerk's API")

    assert (kind.status, other.status) == ("warning", "wrong")
    assert "ins_other" in other.found


async def test_public_keys_are_fetched_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a page that is no set of keys is told from one."""
    jwk = RSAAlgorithm.to_jwk(parse_pem(public_key(new_private_key())), as_dict=True)
    body = {"keys": [jwk | {"kid": "ins_1", "use": "sig", "alg": "RS256"}]}

    async def serve(_request: web.Request) -> web.Response:
        return web.json_response(body)

    app = web.Application()
    app.router.add_get("/jwks.json", serve)
    monkeypatch.delenv("CLERK_JWT_KEY")
    async with TestServer(app) as server:
        monkeypatch.setenv("CLERK_JWKS_URL", str(server.make_url("/jwks.json")))
        good = await _ask("public keys")
        body["keys"].clear()
        empty = await _ask("public keys")
        monkeypatch.setenv("CLERK_JWKS_URL", str(server.make_url("/elsewhere")))
        absent = await _ask("public keys")

    assert good.found == "1 key fetched"
    assert [good.status, empty.status, absent.status] == ["ok", "wrong", "wrong"]
    assert "/.well-known/jwks.json" in (absent.fix or "")
    assert json.dumps(jwk["n"]) not in f"{good}"
