"""A relay on this test's own database; the topics are everybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.stack.ports import free_port
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from workers.relay.lead import Leader

    MakeSettings = Callable[..., RelaySettings]


@pytest.fixture
def make_settings(bootstrap_servers: str, database_url: str) -> MakeSettings:
    """Settings of a relay on this test's database, on a port of its own."""

    def make(**changes: object) -> RelaySettings:
        return RelaySettings.model_validate(
            {
                "kafka_bootstrap_servers": bootstrap_servers,
                "database_url": database_url,
                "relay_metrics_port": free_port(),
                **changes,
            }
        )

    return make


@pytest.fixture
async def relay(make_settings: MakeSettings) -> AsyncIterator[Leader]:
    """A running relay."""
    async with running_relay(make_settings()) as relay:
        yield relay
