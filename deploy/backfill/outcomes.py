"""Find out what became of what was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schema.kafka.snapshots import SNAPSHOT
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from deploy.clerk.sweeps import Sweep
    from schema.kafka.snapshots import Kind

    Connection = asyncpg.Connection[asyncpg.Record]

NAMED: Final = 20
"""How many of what failed are named."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A snapshot that could not be applied."""

    event_id: str
    clerk_user_id: str | None
    outcome: str
    """dead | retrying."""
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What became of the snapshots of one resource."""

    counts: Mapping[str, int]
    """Outcome -> how many, as the ledger has them."""
    failures: tuple[Failure, ...]
    """Some of those that failed."""


async def read_outcomes(connection: Connection, kind: Kind, sweep: Sweep) -> Outcomes:
    """Return what the ledger says of a sweep's snapshots."""
    arguments = SNAPSHOT + kind, sweep.started_at
    counts = await connection.fetch(_SQL["count_outcomes"], *arguments)
    failures = await connection.fetch(_SQL["list_failures"], *arguments, NAMED)
    return Outcomes(
        counts={row["outcome"]: row["events"] for row in counts},
        failures=tuple(Failure(**row) for row in failures),
    )
