"""What the description of the topics says is so, with a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from deploy.stack.ports import free_port
from ingest.prepare import Delivery, prepare
from schema.http.pages.frame import STYLE
from schema.kafka.headers import Failure, read_headers
from schema.kafka.producer import Producer
from schema.kafka.topics import RETRY_DELAYS
from tests.describing import DOCUMENT, find_faults, message_of
from tests.factories import make_body, make_record, new_event_id, new_user_id
from tests.waiting import until
from workers.app import running_worker
from workers.apply import apply
from workers.decode import decode
from workers.park import park, postpone
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg

    ReadTopic = Callable[[str], Awaitable[list[Any]]]


@pytest.fixture
async def kept(bootstrap_servers: str) -> AsyncIterator[Producer]:
    """The producer that the services use."""
    connection = {"bootstrap_servers": bootstrap_servers}
    producer = Producer(connection, client_id="tests", timeout_s=10.0)
    async with producer.running():
        await producer.wait_connected()
        yield producer


@pytest.fixture
async def worker(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """The address of a running worker's probes."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    settings = WorkerSettings()
    async with running_worker(settings):
        yield f"http://127.0.0.1:{settings.worker_metrics_port}"


def _find_faults(record: Any, topic: str, name: str) -> list[str]:
    """Return in what a record is not what its topic's message is said to be."""
    message = message_of(topic, name)
    key = message["bindings"]["kafka"]["key"]
    value = None if record.value is None else json.loads(record.value)
    return [
        *find_faults(record.key.decode(), key),
        *find_faults(dict(read_headers(record.headers)), message["headers"]),
        *find_faults(value, message["payload"]),
    ]


async def _find(read_topic: ReadTopic, topic: str, event_id: str) -> Any:
    found = [r for r in await read_topic(topic) if read_headers(r.headers).get("ce_id") == event_id]
    assert len(found) == 1
    return found[0]


async def test_what_ingest_publishes_is_as_described(
    kept: Producer, read_topic: ReadTopic, sample: dict[str, bytes]
) -> None:
    """Each recorded webhook, and one that cannot be read; in the topic it belongs to."""
    sent = {new_event_id(): body for body in [*sample.values(), b'{"type":"user.created"}']}
    for event_id, body in sent.items():
        delivery = Delivery(body=body, event_id=event_id, request_id="tests")
        await kept.send(prepare(delivery, instance_id=None).record)
    topics = {"clerk.user-events": "event", "clerk.org-events": "event"}
    topics["clerk.unreadable.dlq"] = "letter"
    seen: set[str | None] = set()
    for topic, name in topics.items():
        for record in await read_topic(topic):
            found = read_headers(record.headers).get("ce_id")
            if found in sent:
                assert _find_faults(record, topic, name) == []
                seen.add(found)

    assert seen == sent.keys()


async def test_what_the_worker_puts_aside_is_as_described(
    kept: Producer, read_topic: ReadTopic
) -> None:
    """In each tier, and as a dead letter, of an event that has its headers."""
    event_id = new_event_id()
    record = make_record(make_body("user.created"), event_id=event_id, subject="user_1")
    for attempt, tier in enumerate(RETRY_DELAYS, start=1):
        again = Failure(
            error_class="bug",
            error_code="UNEXPECTED_ERROR",
            message="KeyError",
            attempt=attempt,
            retry_at=datetime.now(UTC),  # due at once: it must keep no other test's records waiting
        )
        await postpone(kept, record, again)
        topic = f"{record.topic}.retry.{tier}"
        found = await _find(read_topic, topic, event_id)

        assert _find_faults(found, topic, "postponed") == []
    failure = Failure(error_class="poison.data", error_code="REFUSED_VALUE", message="22P05")
    await park(kept, record, failure)
    letter = await _find(read_topic, f"{record.topic}.dlq", event_id)

    assert _find_faults(letter, f"{record.topic}.dlq", "letter") == []


async def _told(database: Any, user: str) -> list[Any]:
    return await database.fetch("SELECT * FROM outbox WHERE key = $1 ORDER BY position", user)


async def test_what_is_told_of_a_user_is_as_described(
    pool: asyncpg.Pool[asyncpg.Record], database: asyncpg.Connection[asyncpg.Record]
) -> None:
    """A state while there is one, then nothing; the example is what the sample really becomes."""
    state, tombstone = (message_of("user.changes", name) for name in ("state.1", "tombstone"))
    example = state["examples"][0]
    body = make_body("user.created")
    user = json.loads(body)["data"]["id"]
    await apply(pool, [decode(make_record(body, subject=user))])
    (created,) = await _told(database, user)
    await apply(pool, [decode(make_record(make_body("user.deleted", id=user), subject=user))])
    (deleted,) = await _told(database, user)  # what was told before is gone with the person
    value = json.loads(created["state"])

    assert find_faults(value, state["payload"]) == []
    assert find_faults(user, state["bindings"]["kafka"]["key"]) == []
    assert created["type"] == example["name"]
    assert deleted["type"] in tombstone["summary"]
    assert find_faults(deleted["state"], tombstone["payload"]) == []
    assert value["sequence"] == created["position"]
    for each in (value, expected := dict(example["payload"])):
        del each["sequence"]
        each["created_at"] = datetime.fromisoformat(each["created_at"]).astimezone(UTC)
    assert value == expected


async def test_a_field_that_is_not_promised_would_be_found(
    pool: asyncpg.Pool[asyncpg.Record], database: asyncpg.Connection[asyncpg.Record]
) -> None:
    """The state that is told has the fields of the contract, no more and no fewer."""
    user = new_user_id()
    await apply(pool, [decode(make_record(make_body("user.created", id=user), subject=user))])
    told = json.loads((await _told(database, user))[0]["state"])
    promised = DOCUMENT["components"]["schemas"]["user.changes.1"]

    assert told.keys() == promised["properties"].keys() == set(promised["required"])


async def _read_groups(admin: AIOKafkaAdminClient) -> dict[str, set[str]]:
    """Return group -> the topics that its members have subscribed to."""
    names = [name for name, *_ in await admin.list_consumer_groups() if name.startswith("clerkw")]
    found: dict[str, set[str]] = {}
    for name in names:  # one by one: aiokafka cannot read an answer about several
        answer: Any = (await admin.describe_consumer_groups([name]))[0]
        for _, _, _, metadata, _ in answer.groups[0][5]:
            topics = ConsumerProtocolMemberMetadata.decode(metadata).subscription
            found.setdefault(name, set()).update(topics)
    return found


@pytest.mark.usefixtures("worker")
async def test_kafka_knows_the_groups_that_are_described(bootstrap_servers: str) -> None:
    """Each with the topics that it is said to read."""
    described: dict[str, set[str]] = {}
    for operation in DOCUMENT["operations"].values():
        if operation["action"] == "receive":
            group = operation["bindings"]["kafka"]["groupId"]["const"]
            topic = operation["channel"]["$ref"].removeprefix("#/channels/")
            described.setdefault(group, set()).add(topic)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        found = await until(lambda: _read_groups(admin), lambda found: found == described)
    finally:
        await admin.close()

    assert len(found) == 2 + len(RETRY_DELAYS)


async def test_a_worker_serves_the_description(worker: str) -> None:
    """For programs and for people; the page may use its own style, and nothing else."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{worker}/asyncapi.json") as response:
            assert response.content_type == "application/json"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert await response.json() == DOCUMENT
        async with session.get(f"{worker}/asyncapi") as response:
            assert response.content_type == "text/html"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            policy = response.headers["Content-Security-Policy"]
            page = await response.text()
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

    assert style
    assert style[1] == STYLE
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';")
