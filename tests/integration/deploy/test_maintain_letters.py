"""Index rows of dead letters that Kafka has let go, on a real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from deploy.database import connected
from deploy.maintain.letters import KEPT, Letters, forget_letters, plan_letters
from tests.rows import BEGINNING, insert

if TYPE_CHECKING:
    import asyncpg

NOW = BEGINNING + KEPT


async def test_letters_are_forgotten_when_kafka_has_let_them_go(
    database: asyncpg.Connection[asyncpg.Record], database_url: str
) -> None:
    """Whatever was done with them; younger ones stay, and a second time there is nothing to do."""
    for offset, state in enumerate(("open", "replayed", "parked", "purged")):
        for age in (timedelta(seconds=1), timedelta(0)):
            await insert(
                database,
                "dead_letters",
                topic="clerk.user-events.dlq",
                partition=int(age.total_seconds()),
                offset=offset,
                dead_at=BEGINNING - age,
                error_class="bug",
                attempts=1,
                state=state,
            )
    async with connected(database_url) as operator:
        planned = await plan_letters(operator, now=NOW)
        done = [await forget_letters(operator, now=NOW) for _ in range(2)]
    left = await database.fetch("SELECT partition FROM dead_letters")

    assert planned == Letters(forgotten=4)
    assert done == [Letters(forgotten=4), Letters(forgotten=0)]
    assert [row["partition"] for row in left] == [0] * 4
