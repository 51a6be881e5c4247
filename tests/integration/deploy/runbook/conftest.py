"""One stage for all rehearsals of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from deploy.tokens import new_private_key, public_key
from tests.conftest import Servers, copied_database
from tests.integration.deploy.runbook.stage import Stage, opened_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module")
async def stage(
    servers: Servers,
    bootstrap_servers: str,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stage]:
    """Every process, on a database of its own."""
    extra = {"CLERK_JWT_KEY": public_key(new_private_key())}
    async with (
        copied_database(servers, template_database) as url,
        running_stand_in(World(seed=10), Trouble()) as clerk,
        opened_stage(
            bootstrap_servers=bootstrap_servers,
            database_url=url,
            folder=tmp_path_factory.mktemp("stage"),
            extra=extra | {"CLERK_API_URL": clerk, "CLERK_SECRET_KEY": LIVE_KEY},
        ) as stage,
    ):
        yield stage
