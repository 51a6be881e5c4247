"""Dead letters at the desk, from the list to the replay, on real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.letters import FIX, die, find_letters, find_outcomes
from tests.waiting import until

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    from tests.desk import Answer, Seat

    Database = asyncpg.Connection[asyncpg.Record]


async def _finish(seat: Seat, answer: Answer) -> dict[str, Any]:
    """Return the progress of an operation once it is done."""
    progress = f"{answer.headers['Location']}/progress"

    async def look() -> dict[str, Any]:
        return dict(json.loads((await seat.get(progress)).text))

    return await until(look, lambda found: found["state"] == "finished")


@pytest.mark.usefixtures("worker")
async def test_letters_are_looked_at_and_replayed(
    producer: AIOKafkaProducer, database: Database, user: str, admin: str, seat: Seat
) -> None:
    """What the dry run told is replayed in the background, as the operator that the audit names."""
    ids = await die(producer, database, user, count=5)
    listed = await seat.get(f"/letters?user={user}")
    planned = await seat.get(f"/letters/plan?action=replay&user={user}")
    await database.execute(FIX)
    begun = await seat.act(
        f"/letters/plan?action=replay&user={user}",
        "/letters/replay",
        user=user,
        state="open",
        limit="5",
    )
    progress = await _finish(seat, begun)
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    operation = await database.fetchrow("SELECT * FROM operations")

    assert "5 letters" in listed.shown
    assert all(each in listed.text for each in ids)
    assert "5 letters" in planned.shown
    assert progress == {"planned": 5, "done": 5, "state": "finished"}
    assert len(await find_letters(database, user, "replayed")) == 5
    assert operation
    assert (operation["operator"], operation["action"]) == (admin, "replay")
    assert admin in (await seat.get("/audit")).shown
    assert "finished" in (await seat.follow(begun)).shown
