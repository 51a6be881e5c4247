"""A relay between a real PostgreSQL and a real Kafka."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiokafka.errors import KafkaTimeoutError

from tests.changes import Seen, new_keys, out_of_order, put_changes, read_changes
from tests.waiting import until
from workers.relay.app import running_relay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import asyncpg

    from workers.relay.fetch import Change
    from workers.relay.lead import Leader
    from workers.relay.publish import Publisher
    from workers.relay.settings import RelaySettings

    Database = asyncpg.Connection[asyncpg.Record]
    MakeSettings = Callable[..., RelaySettings]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def _arrived(bootstrap_servers: str, positions: Sequence[int]) -> list[Seen]:
    """Return the records of these positions, once every one of them is there."""
    return await until(
        lambda: read_changes(bootstrap_servers, positions),
        lambda seen: {each.position for each in seen} == set(positions),
    )


async def _is(relay: Leader, state: str | None) -> None:
    async def look() -> str | None:
        return relay.state

    await until(look, lambda found: found == state)


async def _get(relay: Leader, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{relay.settings.relay_metrics_port}/{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def _noted(database: Database) -> int:
    return await database.fetchval("SELECT position FROM relay_progress") or 0


@pytest.mark.usefixtures("relay")
async def test_a_change_becomes_a_record(database: Database, bootstrap_servers: str) -> None:
    """Keyed as it was told, the state as the value, what happened in CloudEvents' headers."""
    (key,) = new_keys(1)
    (position,) = await put_changes(database, [key])
    (record,) = await _arrived(bootstrap_servers, [position])

    assert (record.topic, record.key) == ("user.changes", key)
    assert record.state == {"sequence": position, "name": "Łucja"}
    told_at = (EPOCH + timedelta(microseconds=position)).isoformat(timespec="milliseconds")
    assert record.headers == {
        "ce_specversion": "1.0",
        "ce_id": str(position),
        "ce_type": "clerkwork.user.updated",
        "ce_source": "clerkwork/relay",
        "ce_time": told_at.replace("+00:00", "Z"),
        "ce_subject": key,
        "ce_sequence": str(position),
        "ce_dataschema": "urn:clerkwork:user.changes:1",
        "content-type": "application/json",
    }


@pytest.mark.usefixtures("relay")
async def test_the_end_of_somebody_is_a_tombstone(
    database: Database, bootstrap_servers: str
) -> None:
    """A null value, which compaction understands, and which has no schema."""
    keys = new_keys(1)
    positions = await put_changes(database, keys)
    positions += await put_changes(database, keys, happened="deleted")
    first, last = await _arrived(bootstrap_servers, positions)

    assert first.value is not None
    assert last.value is None
    assert last.headers["ce_type"] == "clerkwork.user.deleted"
    assert {"ce_dataschema", "content-type"}.isdisjoint(last.headers)


@pytest.mark.usefixtures("relay")
async def test_posts_go_to_their_own_topic(database: Database, bootstrap_servers: str) -> None:
    """With a schema of their own."""
    positions = await put_changes(database, new_keys(1), topic="post.changes")
    (record,) = await _arrived(bootstrap_servers, positions)

    assert record.topic == "post.changes"
    assert record.headers["ce_type"] == "clerkwork.post.updated"
    assert record.headers["ce_dataschema"] == "urn:clerkwork:post.changes:1"


async def test_everything_is_published_once_and_in_order(
    make_settings: MakeSettings, database: Database, bootstrap_servers: str
) -> None:
    """Of many changes of a few, on both topics, in batches that know nothing of transactions."""
    keys = new_keys(7)
    positions: list[int] = []
    async with running_relay(make_settings(relay_batch_size=37)) as relay:
        for number in range(60):
            topic = "post.changes" if number % 5 == 0 else "user.changes"
            positions += await put_changes(database, keys * (number % 4 + 1), topic=topic)
        seen = await _arrived(bootstrap_servers, positions)
        status, metrics = await _get(relay, "metrics")

    assert sorted(each.position for each in seen) == positions
    assert out_of_order(seen) == []
    assert status == 200
    assert f"clerkwork_change_order_checked_total {len(positions):.1f}" in metrics
    assert "clerkwork_change_order_violations_total 0.0" in metrics
    assert await _noted(database) == positions[-1]


async def test_a_record_as_large_as_kafka_takes_is_published(
    make_settings: MakeSettings, database: Database, bootstrap_servers: str
) -> None:
    """Beyond what is usually packed together."""
    positions = await put_changes(database, new_keys(3))
    await database.execute(
        "UPDATE outbox SET state = json_build_object('text', repeat('x', 900000))"
    )
    async with running_relay(make_settings()):
        seen = await _arrived(bootstrap_servers, positions)

    assert [len(each.state["text"]) for each in seen] == [900_000] * 3


async def test_a_notification_wakes_it(
    relay: Leader, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before it would have looked."""
    monkeypatch.setattr("workers.relay.carry.LOOK_EVERY_S", 60.0)
    await _is(relay, "active")
    # What it waits for now may have begun under the former rule.
    (position,) = await put_changes(database, new_keys(1))
    await until(lambda: _position(relay), position.__le__)
    (position,) = await put_changes(database, new_keys(1))
    begun = time.monotonic()
    await until(lambda: _position(relay), position.__le__)

    assert time.monotonic() - begun < 20


async def test_it_looks_even_if_nobody_wakes_it(relay: Leader, database: Database) -> None:
    """A notification that was lost costs a second."""
    await _is(relay, "active")
    (position,) = await put_changes(database, new_keys(1), notify=False)

    await until(lambda: _position(relay), position.__le__)


async def _position(relay: Leader) -> int:
    return relay.position


async def test_what_was_published_but_not_noted_is_not_published_again(
    make_settings: MakeSettings, database: Database, bootstrap_servers: str
) -> None:
    """The topics say where the last relay ended, whatever stands in the table."""
    positions = await put_changes(database, new_keys(50))
    async with running_relay(make_settings()):
        await _arrived(bootstrap_servers, positions)
    await database.execute("DELETE FROM relay_progress")
    positions += await put_changes(database, new_keys(1))
    async with running_relay(make_settings()) as relay:
        await until(lambda: _position(relay), positions[-1].__le__)
    seen = await _arrived(bootstrap_servers, positions)

    assert sorted(each.position for each in seen) == positions
    assert await _noted(database) == positions[-1]


async def test_what_was_given_up_is_published_again(
    make_settings: MakeSettings,
    database: Database,
    bootstrap_servers: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A transaction that did not end is nobody's: its records come again, readers see them once."""
    failures = iter([KafkaTimeoutError(), KeyError("a bug")])
    send = "workers.relay.publish.Publisher._send"
    original = _import_publisher()._send

    async def give_up(publisher: Publisher, changes: Sequence[Change]) -> None:
        await original(publisher, changes)
        if (failure := next(failures, None)) is not None:
            raise failure

    monkeypatch.setattr(send, give_up)
    positions = await put_changes(database, new_keys(300))
    async with running_relay(make_settings()) as relay:
        seen = await _arrived(bootstrap_servers, positions)
        _, metrics = await _get(relay, "metrics")
    sent = await read_changes(bootstrap_servers, positions, isolation_level="read_uncommitted")

    assert len(seen) == len(positions)
    assert len(sent) == 3 * len(positions)
    assert 'clerkwork_relay_terms_ended_total{kind="kafka"} 1.0' in metrics
    assert 'clerkwork_relay_terms_ended_total{kind="bug"} 1.0' in metrics


def _import_publisher() -> type[Publisher]:
    from workers.relay.publish import Publisher  # noqa: PLC0415  # only for its type elsewhere

    return Publisher


async def test_one_leads_and_the_other_takes_over(
    make_settings: MakeSettings, database: Database, bootstrap_servers: str
) -> None:
    """Who is stopped hands over within about a second, and what both did is in order."""
    keys = new_keys(5)
    positions: list[int] = []
    async with (
        running_relay(make_settings()) as first,
        running_relay(make_settings()) as second,
    ):
        await until(lambda: _states(first, second), lambda found: found == {"active", "standby"})
        leader, other = (first, second) if first.state == "active" else (second, first)
        positions += await put_changes(database, keys * 20)
        ready = [await _get(each, "readyz") for each in (leader, other)]
        leader.stop()
        begun = time.monotonic()
        positions += await put_changes(database, keys * 20)
        await _is(other, "active")
        seconds = time.monotonic() - begun
        seen = await _arrived(bootstrap_servers, positions)

    assert [status for status, _ in ready] == [200, 200]
    assert '"relay": "active"' in ready[0][1]
    assert '"relay": "standby"' in ready[1][1]
    assert out_of_order(seen) == []
    assert len(seen) == len(positions)
    assert seconds < 8


async def _states(*relays: Leader) -> set[str | None]:
    return {relay.state for relay in relays}


async def test_the_lag_is_told_while_nothing_moves(
    make_settings: MakeSettings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a relay that cannot publish, too: how much waits, and for how long."""
    monkeypatch.setattr("workers.relay.measure.MEASURE_EVERY_S", 0.1)
    await put_changes(database, new_keys(4))
    await database.execute("UPDATE outbox SET position = position - 3600000000")
    await database.execute("SELECT pg_advisory_lock(6241359)")
    async with running_relay(make_settings()) as relay:
        await _is(relay, "standby")
        _, metrics = await until(
            lambda: _get(relay, "metrics"), lambda got: "pending_changes 4.0" in got[1]
        )
        (lag,) = [
            float(line.split()[1])
            for line in metrics.splitlines()
            if line.startswith("clerkwork_relay_lag_seconds ")
        ]

    assert 3600 <= lag < 3700
    assert "clerkwork_relay_active 0.0" in metrics


async def test_a_missing_table_is_waited_for(
    relay: Leader, database: Database, bootstrap_servers: str
) -> None:
    """Not ready, alive, and nothing lost."""
    await _is(relay, "active")
    await database.execute("ALTER TABLE outbox RENAME TO forgotten")
    await until(lambda: _get(relay, "readyz"), lambda answer: answer[0] == 503)
    alive, _ = await _get(relay, "livez")
    await database.execute("ALTER TABLE forgotten RENAME TO outbox")
    positions = await put_changes(database, new_keys(5))
    seen = await _arrived(bootstrap_servers, positions)

    assert alive == 200
    assert len(seen) == 5


async def _has_tried(relay: Leader) -> bool:
    _, metrics = await _get(relay, "metrics")
    ends = [line for line in metrics.splitlines() if line.startswith("clerkwork_relay_terms_end")]
    return relay.state == "standby" or any(not line.endswith(" 0.0") for line in ends)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"database_url": "postgresql://nobody@127.0.0.1:1/nothing"},
        {"kafka_bootstrap_servers": "127.0.0.1:1"},
    ],
    ids=["lock", "postgres", "kafka"],
)
async def test_it_stops_at_once_whatever_it_waits_for(
    changes: dict[str, str], make_settings: MakeSettings, database: Database
) -> None:
    """For the lock, for PostgreSQL, or for Kafka."""
    if not changes:
        await database.execute("SELECT pg_advisory_lock(6241359)")
    async with running_relay(make_settings(**changes)) as relay:
        await until(lambda: _has_tried(relay), bool)
        begun = time.monotonic()

    assert time.monotonic() - begun < 20
