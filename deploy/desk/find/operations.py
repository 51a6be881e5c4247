"""Find operations: what operators do, and have done."""

from __future__ import annotations

import uuid
from datetime import datetime  # noqa: TC003 - msgspec reads it at run time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deploy.letters.operate import write_selection
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from deploy.letters.select import Place

    Connection = asyncpg.Connection[asyncpg.Record]
    Rows = Sequence[Any]

_READ: Final = read_statements(__file__)
_SQL: Final = {name: text.replace(":running", _READ["running"]) for name, text in _READ.items()}


class After(NamedTuple):
    """The operation behind which a page begins."""

    started_at: datetime
    id: uuid.UUID


async def find_page(connection: Connection, *, after: After | None, most: int) -> Rows:
    """Return operations, the newest first, from behind `after`."""
    return await connection.fetch(_SQL["list_page"], most, *(after or (None, None)))


async def find_unfinished(connection: Connection) -> Rows:
    """Return what runs or has broken off, the newest first."""
    return await connection.fetch(_SQL["list_unfinished"])


async def find_operation(connection: Connection, operation: uuid.UUID) -> Any:
    """Return an operation, None where there is none."""
    return await connection.fetchrow(_SQL["find_operation"], operation)


async def find_of_letter(connection: Connection, place: Place) -> Rows:
    """Return the operation that took a letter last."""
    return await connection.fetch(_SQL["find_of_letter"], *place)


async def find_of_event(connection: Connection, event_id: str) -> Rows:
    """Return the operations that took the letters of an event last, the oldest first."""
    return await connection.fetch(_SQL["find_of_event"], event_id)


async def find_busy(connection: Connection, operator: str) -> uuid.UUID | None:
    """Return what an operator has under way."""
    found: uuid.UUID | None = await connection.fetchval(_SQL["find_busy"], operator)
    return found


async def lock_operator(connection: Connection, operator: str) -> bool:
    """Hold an operator while the connection lasts; False where they do something already."""
    return bool(await connection.fetchval(_SQL["lock_operator"], operator))


async def bound_statements(connection: Connection, *, seconds: float) -> None:
    """Have statements of a connection end after so long."""
    await connection.execute(_SQL["bound_statements"], f"{seconds * 1000:.0f}")


async def note(
    connection: Connection, action: str, *, operator: str, said: Mapping[str, Any]
) -> None:
    """Write into the audit what an operator did that takes no letters."""
    await connection.execute(_SQL["note"], uuid.uuid4(), action, operator, write_selection(said))
