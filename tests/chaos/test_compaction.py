"""Compaction, really run: it forgets whoever was erased, and nothing that a reader must know."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.stack import Kafka
from deploy.stack.kafka import SETTINGS
from deploy.stack.ports import free_port
from deploy.topics import apply_topics, connected_admin
from schema.kafka.topics import USER_CHANGES
from tests.changes import Seen, fold, out_of_order, put_changes, read_changes, spread_keys
from tests.waiting import until
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

SECRET: Final = "Erasmus"
HASTE: Final = {
    "cleanup.policy": "compact",
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "200",
    "file.delete.delay.ms": "10",
}
"""What else takes a day happens at once; only tombstones stay as long as they do."""


@pytest.fixture
async def eager_kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kafka]:
    """A broker with every topic that compacts as soon as a topic lets it."""
    haste = {"log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "500"}
    monkeypatch.setattr("deploy.stack.kafka.SETTINGS", SETTINGS | haste)
    kafka = Kafka(data=tmp_path / "kafka", log=tmp_path / "kafka.log")
    await asyncio.to_thread(kafka.start)
    try:
        async with connected_admin({"bootstrap_servers": kafka.bootstrap_servers}) as admin:
            assert await apply_topics(admin) == []
        yield kafka
    finally:
        await asyncio.to_thread(kafka.kill)


async def test_whoever_was_erased_is_forgotten(
    eager_kafka: Kafka, database: Database, database_url: str
) -> None:
    """No file of the topic holds their data any more; everybody else is as before."""
    servers = eager_kafka.bootstrap_servers
    settings = RelaySettings.model_validate(
        {
            "kafka_bootstrap_servers": servers,
            "database_url": database_url,
            "relay_metrics_port": free_port(),
        }
    )
    kept, erased, others = spread_keys(3), spread_keys(3), spread_keys(1)
    positions: list[int] = []
    async with running_relay(settings):
        for _ in range(10):
            positions += await put_changes(database, kept)
            positions += await put_changes(database, erased, name=SECRET)
        positions += await put_changes(database, erased, happened="deleted")
        before = await until(
            lambda: read_changes(servers, positions), lambda seen: len(seen) == len(positions)
        )
        assert await _files_with_the_secret(eager_kafka)
        await _make_haste(servers)

        # A segment is closed by what comes after it in its partition; only then is it compacted.
        async def go_on() -> int:
            await put_changes(database, others)
            return await _files_with_the_secret(eager_kafka)

        await until(go_on, lambda count: count == 0, within_s=90)
        after = await read_changes(servers)

    known = fold(after)
    assert {key: known[key] for key in kept} == fold(before)
    assert {each.value for each in after if each.key in set(erased)} == {None}
    assert out_of_order(after) == []
    assert _count(after, kept) < _count(before, kept)
    assert known.keys() == {*kept, *others}


async def _make_haste(servers: str) -> None:
    """Have the topic compacted from now on."""
    config = {**USER_CHANGES.config, **HASTE}
    async with connected_admin({"bootstrap_servers": servers}) as admin:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, USER_CHANGES.name, configs=config)]
        )


async def _files_with_the_secret(kafka: Kafka) -> int:
    """Return how many files of the topic hold what must be forgotten."""

    def count() -> int:
        found = 0
        for path in (kafka.data / "records").glob(f"{USER_CHANGES.name}-*/*"):
            try:
                found += SECRET.encode() in path.read_bytes()
            except FileNotFoundError:  # deleted while we look
                continue
        return found

    return await asyncio.to_thread(count)


def _count(seen: list[Seen], keys: list[str]) -> int:
    return sum(each.key in set(keys) for each in seen)
