"""A stopped partition is released at the desk: who, and with how many rejects, is in the audit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    import asyncpg

    from tests.desk import Seat

    Database = asyncpg.Connection[asyncpg.Record]

PAGE: Final = "/lines/clerk.org-events/3/release"


@pytest.fixture
async def _stopped(database: Database) -> None:
    await database.execute(
        """INSERT INTO line_stops (topic, partition, rejects, events, reason, stopped_at)
        VALUES ('clerk.org-events', 3, 52, 60, 'poison.data', now()),
            ('clerk.org-events', 4, 9, 9, 'poison.data', now())"""
    )


@pytest.mark.usefixtures("_stopped")
async def test_a_line_is_released_once_it_is_said_so(
    database: Database, admin: str, seat: Seat
) -> None:
    """The page asks and changes nothing; the other one that is stopped stays so."""
    pipeline = await seat.get("/")
    asked = await seat.get(PAGE)
    before = await database.fetchval("SELECT count(*) FROM line_stops WHERE released_at IS NULL")
    released = await seat.act(PAGE, PAGE, allowance="1000")
    row = await database.fetchrow("SELECT * FROM line_stops WHERE released_at IS NOT NULL")
    [noted] = await database.fetch("SELECT * FROM operations")
    audit = await seat.follow(released)

    assert f'href="{PAGE}"' in pipeline.text
    assert "52 of 60" in asked.shown
    assert before == 2
    assert row
    assert (row["partition"], row["allowance"]) == (3, 1000)
    assert (noted["action"], noted["operator"], noted["done"]) == ("release", admin, 1)
    assert json.loads(noted["selection"]) == {
        "topic": "clerk.org-events",
        "partition": 3,
        "allowance": 1000,
    }
    assert admin in audit.shown
    assert "clerk.org-events" in audit.shown


@pytest.mark.usefixtures("_stopped")
async def test_what_is_not_stopped_is_not_released(database: Database, seat: Seat) -> None:
    """Somebody was quicker, or there is no such place; what is no number lets nothing pass."""
    await seat.act(PAGE, PAGE)
    again = await seat.act("/audit", PAGE)
    gone = [await seat.get(PAGE), await seat.get(PAGE.replace("/3/", "/x/"))]
    odd = await seat.act("/audit", PAGE.replace("/3/", "/4/"), allowance="-1")
    stopped = await database.fetchval("SELECT count(*) FROM line_stops WHERE released_at IS NULL")

    assert again.status == 400
    assert "somebody has released it" in again.shown
    assert [each.status for each in gone] == [404, 404]
    assert (odd.status, stopped) == (400, 1)
    assert await database.fetchval("SELECT count(*) FROM operations") == 1
