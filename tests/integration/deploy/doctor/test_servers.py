"""The doctor on real servers that are not as they should be, one thing after the other."""

from __future__ import annotations

import contextlib
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import OffsetAndMetadata

from deploy.doctor.checks import CHECKS
from deploy.doctor.examine import examine
from deploy.doctor.groups import measure_group
from deploy.doctor.verdict import Status, Verdict
from deploy.stack.ports import free_port
from deploy.topics import connected_admin
from schema.kafka.topics import USER_EVENTS, Topic
from tests.integration.http.test_redis import Redis
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]


@pytest.fixture(autouse=True)
def _environment(
    bootstrap_servers: str, shared_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", shared_database_url)


async def _ask(name: str) -> Verdict:
    [finding] = await examine([each for each in CHECKS if each.name == name])
    return finding.verdict


async def test_a_database_that_may_lose_commits_is_wrong(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects anew gets what the operator has set for this database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    good = await _ask("PostgreSQL's settings")
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    bad = await _ask("PostgreSQL's settings")

    assert (good.status, bad.status) == ("ok", "wrong")
    assert "SET synchronous_commit = on" in (bad.fix or "")


async def test_a_slot_that_nobody_reads_is_told(database: Database) -> None:
    """It keeps the log from being removed."""
    name = f"doctor_{uuid.uuid4().hex[:8]}"
    await database.execute("SELECT pg_create_physical_replication_slot($1, true)", name)
    try:
        verdict = await _ask("replication slots")
    finally:
        await database.execute("SELECT pg_drop_replication_slot($1)", name)

    assert verdict.status is Status.WARNING
    assert f"pg_drop_replication_slot('{name}')" in (verdict.fix or "")


async def test_tables_that_the_planner_does_not_know_are_told(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filled at once, and looked at by nobody since; the fix mends it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    await database.execute("CREATE TABLE heap (n int) WITH (autovacuum_enabled = off)")
    await database.execute("INSERT INTO heap SELECT generate_series(1, 60000)")
    await database.execute("SELECT pg_stat_force_next_flush()")
    old = await until(lambda: _ask("statistics"), lambda each: each.status is Status.WARNING)
    await database.execute(old.fix or "")
    await database.execute("SELECT pg_stat_force_next_flush()")
    new = await until(lambda: _ask("statistics"), lambda each: each.status is Status.OK)

    assert "ANALYZE heap" in (old.fix or "")
    assert new.status is Status.OK


async def test_crowded_connections_old_transactions_and_full_disks_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the servers tell them: here it is our patience that is at an end."""
    names = ("connections", "transaction ids", "Kafka's disks")
    well = [(await _ask(name)).status for name in names[:2]]
    monkeypatch.setattr("deploy.doctor.server.CROWDED", 0.0)
    monkeypatch.setattr("deploy.doctor.server.AGED", -1.0)
    monkeypatch.setattr("deploy.doctor.broker.LITTLE", 1.0)
    ill = [await _ask(name) for name in names]

    assert well == ["ok", "ok"]
    assert all(each.status in {"warning", "wrong"} for each in ill)
    assert all(each.fix for each in ill)


async def test_kafkas_version_and_clock_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being let to do anything; a machine whose clock is off learns it."""
    version, clock = await _ask("Kafka's version"), await _ask("clock and Kafka's")
    ahead = SimpleNamespace(time=lambda: time.time() + 400)
    monkeypatch.setattr("deploy.doctor.broker.time", ahead)
    off = await _ask("clock and Kafka's")

    assert (version.status, clock.status, off.status) == ("ok", "ok", "wrong")
    assert "ahead of Kafka's" in off.found


@contextlib.asynccontextmanager
async def _configured(servers: str, topic: Topic, **settings: str) -> AsyncIterator[None]:
    """Have a topic configured otherwise while the context lasts."""

    async def set_to(config: dict[str, str]) -> None:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=config)
        async with connected_admin({"bootstrap_servers": servers}) as admin:
            await admin.alter_configs([resource])

    named = {name.replace("_", "."): value for name, value in settings.items()}
    await set_to({**topic.config, **named})
    try:
        yield
    finally:
        await set_to(dict(topic.config))


async def test_what_is_set_otherwise_is_named_with_its_fix(bootstrap_servers: str) -> None:
    """A topic that keeps too little, one that takes too little; then both are mended."""
    changed = {"retention_ms": "60000", "max_message_bytes": "1000"}
    async with _configured(bootstrap_servers, USER_EVENTS, **changed):
        topics = await until(lambda: _ask("topics"), lambda each: each.status is not Status.OK)
        limits = await until(lambda: _ask("topic limits"), lambda each: each.status != "ok")
    await until(lambda: _ask("topics"), lambda each: each.status is Status.OK)
    await until(lambda: _ask("topic limits"), lambda each: each.status is Status.OK)

    assert "clerk.user-events: retention.ms is 60000, not 1209600000" in topics.found
    assert "clerkwork topics apply" in (topics.fix or "")
    assert limits.status is Status.WRONG
    assert "--topic clerk.user-events --add-config max.message.bytes=" in (limits.fix or "")


async def test_what_a_group_has_not_read_is_counted_timed_and_missed(
    bootstrap_servers: str, producer: AIOKafkaProducer
) -> None:
    """Three records of an hour ago wait behind the first; then Kafka removes one of them."""
    topic = Topic(name=f"d.{uuid.uuid4().hex}", partitions=2, key="", value="", retention_days=1)
    place, hour_ms = TopicPartition(topic.name, 1), int((time.time() - 3600) * 1000)
    async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
        await admin.create_topics([NewTopic(topic.name, topic.partitions, 1)])
        for _ in range(4):
            await producer.send_and_wait(topic.name, b"x", partition=1, timestamp_ms=hour_ms)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers, group_id=topic.name, enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign([place])
        await consumer.commit({place: OffsetAndMetadata(1, "")})
        await consumer.stop()
        before = await measure_group(topic.name, [topic])
        await admin.delete_records({place: RecordsToDelete(before_offset=2)})
        after = await measure_group(topic.name, [topic])

    assert (before.members, before.waiting, before.lost) == (0, 3, 0)
    assert 3500 < before.oldest_s < 3700
    assert (after.waiting, after.lost) == (2, 1)


async def test_processes_that_are_here_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not ready, one that is a stranger, and none at all."""

    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"checks": {"kafka": "not consuming yet"}}, status=503)

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"checks": {"loop": "ok"}})

    app = web.Application()
    app.router.add_get("/readyz", refuse)
    app.router.add_get("/livez", live)
    async with TestServer(app) as ours, TestServer(web.Application()) as stranger:
        monkeypatch.setenv("WORKER_METRICS_PORT", str(ours.port))
        monkeypatch.setenv("RELAY_METRICS_PORT", str(stranger.port))
        monkeypatch.setenv("INGEST_PORT", str(free_port()))
        worker, relay = await _ask("worker here"), await _ask("relay here")
        ingest = await _ask("ingest here")

    assert (worker.status, relay.status, ingest.status) == ("wrong", "warning", "skipped")
    assert "kafka: not consuming yet" in worker.found
    assert "RELAY_METRICS_PORT" in (relay.fix or "")


async def test_a_redis_that_is_away_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is, nobody is limited; its password is not shown."""
    redis = Redis(tmp_path)
    monkeypatch.setenv("REDIS_URL", f"redis://:sesame@127.0.0.1:{redis.port}/0")
    away = await _ask("Redis")
    monkeypatch.setenv("REDIS_URL", redis.url.get_secret_value())
    await redis.start()
    try:
        there = await _ask("Redis")
    finally:
        redis.stop()

    assert (away.status, there.status) == ("wrong", "ok")
    assert "sesame" not in f"{away}"
