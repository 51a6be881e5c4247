"""Topics on a real cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.topics import apply_topics, connected_admin, diff_topics
from schema.kafka.topics import USER_EVENTS
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka.admin import AIOKafkaAdminClient


@pytest.fixture
async def admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Whoever may change topics."""
    async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
        yield admin


async def test_a_cluster_that_is_as_declared_has_no_differences(
    admin: AIOKafkaAdminClient,
) -> None:
    """Applied once, there is nothing left to tell or to do."""
    assert await diff_topics(admin) == []
    assert await apply_topics(admin) == []


async def test_a_changed_configuration_is_told_and_corrected(admin: AIOKafkaAdminClient) -> None:
    """Somebody shortens the retention by hand: diff names it, apply puts it back."""
    by_hand = {"retention.ms": "1000", "cleanup.policy": "delete"}
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, USER_EVENTS.name, configs=by_hand)]
    )
    [difference] = await until(lambda: diff_topics(admin), bool)

    assert (difference.topic, difference.setting, difference.found) == (
        USER_EVENTS,
        "retention.ms",
        "1000",
    )
    assert await apply_topics(admin) == []
