"""What the API says of canaries, and to whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schema.kafka.changes import CANARY_PREFIX
from tests.factories import new_user_id

if TYPE_CHECKING:
    from tests.integration.api.conftest import Client, Users

CANARY = f"{CANARY_PREFIX}-1-0"


async def test_anybody_may_know_how_new_a_canary_is(client: Client, users: Users) -> None:
    """Its version and nothing else."""
    await users.add(CANARY, status="pending", version=1_767_225_600_000)
    answer = await client.get(f"/canary/{CANARY}")

    assert answer.status == 200
    assert await answer.json() == {"version": 1_767_225_600_000}


async def test_nobody_else_is_told_of_there(client: Client, users: Users) -> None:
    """Neither people nor canaries that have not flown."""
    user_id = new_user_id()
    await users.add(user_id)
    for each in (user_id, CANARY, "user_", "%00"):
        answer = await client.get(f"/canary/{each}")

        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "CANARY_NOT_FOUND")


async def test_readers_never_see_a_canary(client: Client, users: Users) -> None:
    """Neither in lists, nor by its id."""
    reader = new_user_id()
    await users.add(reader)
    await users.add(CANARY, status="pending", version=1)
    listed = await client.get("/v1/users", by=reader)
    shown = await client.get(f"/v1/users/{CANARY}", by=reader)

    assert [each["clerk_id"] for each in json.loads(await listed.read())["data"]] == [reader]
    assert shown.status == 404
