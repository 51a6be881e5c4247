"""Record the name in each snapshot, and tell whose history of names that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements
from workers.collapse import columns

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Container, Mapping

    import asyncpg

    from workers.project.users import NameRow, UserRow

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Name = tuple[str | None, str | None]

_SQL: Final = read_statements(__file__)


async def record_names(
    connection: Connection,
    names: Collection[NameRow],
    users: Mapping[uuid.UUID, UserRow],
    calm: Mapping[uuid.UUID, int],
    *,
    new: Container[uuid.UUID],
) -> set[uuid.UUID]:
    """Keep the names, and return whose history of names they can have changed.

    Their users' rows are locked and not erased. `users` are as the batch has them, `calm` who of
    them is called as before, and what the newest version was: most names need no look at others.
    Nor do those of `new` users, who have no others, and whose histories are due in any case.
    """
    same: list[NameRow] = []
    others: list[NameRow] = []
    renamed: set[uuid.UUID] = set()
    first: dict[uuid.UUID, Name] = {}
    for row in names:
        key, name = row.user_id, (row.first_name, row.last_name)
        if first.setdefault(key, name) != name:
            renamed.add(key)
        user = users[key]
        follows = key in calm and row.version > calm[key]
        is_same = follows and name == (user.first_name, user.last_name)
        (same if is_same or key in new else others).append(row)
    if same:
        await connection.execute(_SQL["add_names"], *columns(same))
    if others:
        rows = await connection.fetch(_SQL["record_names"], *columns(others))
        renamed.update(row["user_id"] for row in rows)
    return renamed
