"""From any record to rows in PostgreSQL: what decodes can be written, and what cannot is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.fuzzing import load_record, make_mutant, read_bodies, read_corpus, runs
from workers.apply import apply
from workers.decode import decode

if TYPE_CHECKING:
    import asyncpg

BATCH: Final = 100
BATCHES: Final = 12
OUTCOMES: Final = {"applied", "stale", "ignored", "dead", "refused"}


async def test_no_record_stops_a_partition(
    pool: asyncpg.Pool[asyncpg.Record], sample: dict[str, bytes]
) -> None:
    """Every one of a batch is recorded in the ledger, whatever the others are; none is a bug."""
    bodies = read_bodies(sample)
    records = [load_record(stored) for stored in read_corpus("records")]
    seen = set()
    for chance in runs(BATCHES):
        records += [make_mutant(chance, bodies) for _ in range(BATCH)]
        events = [decode(record) for record in records]
        applied = await apply(pool, events)
        said = {each.event.event_id for each in applied}
        rows: list[Any] = await pool.fetch(
            "SELECT event_id FROM events WHERE event_id = any($1)", sorted(said)
        )

        assert [each for each in applied if each.error_class == "bug"] == []
        assert len(applied) == len(events)
        assert {row["event_id"] for row in rows} == said
        seen |= {each.outcome for each in applied}
        records = []

    assert seen <= OUTCOMES
    assert {"applied", "dead"} <= seen
