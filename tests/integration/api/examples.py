"""Rows of what the document's examples are about, so that they can be asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from uuid import UUID

from api.answers.events import ENTRY
from api.answers.organizations import ORGANIZATION
from api.answers.posts import POST
from api.declare import MIN_VERSION, USER_ID
from api.describe import ENDPOINTS
from tests.commands import OWN_DATA
from tests.integration.api.world import World

if TYPE_CHECKING:
    from tests.integration.api.conftest import Outbox

WHO: Final = str(USER_ID.example)
"""The user of the examples."""
(CANARY,) = (
    str(parameter.example)
    for each in ENDPOINTS
    if each.name == "show_canary"
    for parameter in each.parameters
)


async def insert_examples(outbox: Outbox) -> None:
    """Insert one of everything, of a user who has reached the version that is waited for."""
    world = World(outbox.connection)
    await world.user(WHO, version=MIN_VERSION.example)
    await world.user(CANARY)
    await world.post(WHO, "example", id=UUID(POST["id"]))
    for key, value in OWN_DATA.items():
        await world.data(WHO, key, json.dumps(value))
    await world.session(WHO, "sess_example")
    await world.organization(ORGANIZATION["clerk_id"])
    await world.membership(WHO, ORGANIZATION["clerk_id"])
    await world.event(ENTRY["event_id"], WHO)
    await outbox.tell(WHO)
