"""The doctor as a user of Kafka's who may do little: a real broker with an authorizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest

from deploy.doctor.checks import CHECKS
from deploy.doctor.examine import examine
from deploy.doctor.verdict import Status, Verdict
from deploy.topics import apply_topics, connected_admin
from tests.guarded import BOSS, arguments_as, guarded_kafka, variables_as
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC, GROUP, CLUSTER, TRANSACTION = 2, 3, 4, 5
LITERAL, ALL, DESCRIBE, ALLOW = 3, 2, 8, 3


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The address of a Kafka where the doctor may do nothing."""
    with guarded_kafka("doctor") as kafka:
        yield kafka.servers


async def _ask(name: str) -> Verdict:
    [finding] = await examine([each for each in CHECKS if each.name == name])
    return finding.verdict


async def test_rights_that_are_missing_are_named_until_they_are_there(
    guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None at first, then all but the relay's transactions, then all; nothing is done for that."""
    for name, value in variables_as("doctor", guarded).items():
        monkeypatch.setenv(name, value)
    boss = arguments_as(BOSS, guarded)
    async with connected_admin(boss) as admin:
        assert await apply_topics(admin) == []
    nothing, clock, disks = [
        await _ask(name) for name in ("rights", "clock and Kafka's", "Kafka's disks")
    ]
    client = AIOKafkaClient(**boss)
    await client.bootstrap()

    async def allow(kind: int, name: str, operation: int) -> None:
        node = client.get_random_node()
        assert node is not None
        # Kind, name, how it is meant, whom, from where, what, and that it is allowed.
        await client.send(
            node, CreateAclsRequest(kind, name, LITERAL, "User:doctor", "*", operation, ALLOW)
        )

    try:
        await allow(TOPIC, "*", ALL)
        await allow(GROUP, "*", ALL)
        some = await until(lambda: _ask("rights"), lambda each: each.status is Status.WARNING)
        await allow(TRANSACTION, "clerkwork-relay", ALL)
        every = await until(lambda: _ask("rights"), lambda each: each.status is Status.OK)
        await allow(CLUSTER, "kafka-cluster", DESCRIBE)
        await until(lambda: _ask("clock and Kafka's"), lambda each: each.status is Status.OK)
    finally:
        await client.close()

    assert nothing.status is Status.WRONG
    assert "As doctor ingest lacks Write topic app.user-commands" in nothing.found
    assert "--allow-principal User:doctor --operation Write --topic" in (nothing.fix or "")
    assert (clock.status, disks.status) == ("skipped", "skipped")
    assert "--operation Describe --cluster" in (clock.fix or "")
    assert some.found == "As doctor relay lacks Write transactional-id clerkwork-relay."
    assert "--transactional-id clerkwork-relay" in (some.fix or "")
    assert "worker, relay have all" in every.found
