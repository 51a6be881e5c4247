"""Count what was found, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.reconcile.drift import Drift
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


async def count_drift(connection: Connection, *, most_ids: int | None) -> tuple[Drift, ...]:
    """Return what was found; of each kind `most_ids` ids, or all."""
    found = []
    for row in await connection.fetch(_SQL["count_drift"]):
        all_mended = row["mended"] == row["found"]
        ids = await connection.fetch(
            _SQL["list_ids"], row["resource"], row["kind"], all_mended, most_ids
        )
        found.append(Drift(**row, ids=tuple(each["clerk_id"] for each in ids)))
    return tuple(found)
