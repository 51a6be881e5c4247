"""Find dead letters."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads it at run time
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from deploy.letters.select import over_matching
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from deploy.letters.select import Selection

    Connection = asyncpg.Connection[asyncpg.Record]

MOST_COUNTED: Final = 10_000
"""More letters in a state are not counted where only their number is shown."""

_SQL: Final = over_matching(read_statements(__file__))


class After(NamedTuple):
    """The letter behind which a page begins."""

    dead_at: datetime
    topic: str
    partition: Annotated[int, msgspec.Meta(lt=2**31)]
    offset: int


async def find_page(
    connection: Connection, selection: Selection, *, after: After | None, most: int
) -> Sequence[Any]:
    """Return letters, the newest first, from behind `after`."""
    place = after or (None, None, None, None)
    return await connection.fetch(_SQL["list_page"], *selection.arguments(), most, *place)


async def count_states(connection: Connection) -> Sequence[Any]:
    """Return how many letters wait in each state, MOST_COUNTED at most, and the oldest's death."""
    return await connection.fetch(_SQL["count_states"], MOST_COUNTED)
