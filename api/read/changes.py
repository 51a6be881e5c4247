"""Changes: what the outbox holds for a caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from api.database import fetch, named_statements
from api.read.standings import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from api.database import Pool
    from api.page import ChangesPage
    from schema.http.tokens.claims import Caller

_SQL: Final = named_statements(__file__)


class Change(NamedTuple):
    """What others are told of a user or a post."""

    position: int
    """Its place among all changes, in microseconds since 1970 or a little more."""
    type: str
    key: str
    state: str | None
    """The state after it as JSON; None where nothing is left, or may be shown."""


class Changes(NamedTuple):
    """A page of the changes that a caller may see."""

    standing: Standing | None
    changes: Sequence[Change]
    more: bool
    """Whether others come after them."""
    head: int
    """The position of the newest change, or after it."""
    forgotten: int
    """All up to this position may be gone."""
    clock: int
    """The time of the database, as positions are."""


async def read_changes(pool: Pool, *, caller: Caller, page: ChangesPage) -> Changes:
    """Return the part of the changes that `page` asks for, as of one moment."""
    rows = await fetch(
        pool, _SQL["read_changes"], caller.user_id, caller.clerk_id, page.since, page.limit + 1
    )
    changes = [
        Change(row["position"], row["type"], row["key"], row["state"])
        for row in rows
        if row["position"] is not None
    ]
    return Changes(
        standing=_standing(rows[0]),
        changes=changes[: page.limit],
        more=len(changes) > page.limit,
        head=rows[0]["head"],
        forgotten=rows[0]["forgotten"],
        clock=rows[0]["clock"],
    )


def _standing(row: asyncpg.Record) -> Standing | None:
    if row["caller_role"] is None:
        return None
    return Standing(role=row["caller_role"], status=row["caller_status"])
