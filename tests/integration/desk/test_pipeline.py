"""The pipeline at a glance, on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.letters import find_outcomes, publish
from tests.waiting import until

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    from tests.desk import Seat

    Database = asyncpg.Connection[asyncpg.Record]


@pytest.mark.usefixtures("worker")
async def test_what_is_applied_is_seen_at_a_glance(
    producer: AIOKafkaProducer, database: Database, user: str, seat: Seat
) -> None:
    """Events are counted, fresh, and nothing waits."""
    ids = [await publish(producer, user, at=at, first_name="Ada") for at in range(3)]
    await until(lambda: find_outcomes(database, ids), lambda found: found == {"applied"})
    page = await seat.get("/")
    events = await seat.get("/events")
    of_user = await seat.get(f"/events?user={user}")
    one = await seat.get(f"/events/{ids[0]}")
    print(page.shown, events.shown, of_user.shown, one.shown)

    assert page.status == 200
