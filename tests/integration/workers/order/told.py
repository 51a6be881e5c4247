"""What others were told of users, folded as a consumer would, against the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from schema.kafka.changes import USER_CREATED, USER_DELETED, USER_UPDATED, UserState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import asyncpg

    from tests.integration.workers.order.facts import Data

ABOUT_THE_RECORD: Final = {"schema_version", "sequence", "version"}
"""Fields that change also where nothing about the user does."""


async def wrongly_told(
    pool: asyncpg.Pool[asyncpg.Record], *, restored: Collection[str] = ()
) -> list[str]:
    """Return a line for whatever the outbox says otherwise than it must.

    The end of users in `restored` may be told again: of who was only a name, nobody was told that
    they are back.
    """
    problems: list[str] = []
    known: dict[str, Data | None] = {}
    for row in await pool.fetch(_USERS):
        state = None if row["state"] is None else _content(row)
        news = row["key"] not in known or (state is None and row["key"] in restored)
        problems += _misfits(row, known.get(row["key"]), state, news=news)
        known[row["key"]] = state
    living = {user: state for user, state in known.items() if state}
    table = {row["clerk_id"]: _public(dict(row)) for row in await pool.fetch(_THERE)}
    problems += [
        f"{user}: told {living.get(user)}, there is {table.get(user)}"
        for user in sorted(living.keys() | table.keys())
        if living.get(user) != table.get(user)
    ]
    untold = set(map(str, await pool.fetchval(_GONE))) - known.keys()
    return problems + [f"{user}: deleted, and nobody was told" for user in sorted(untold)]


def _content(row: asyncpg.Record) -> Data:
    state = UserState.model_validate_json(row["state"])
    assert state.clerk_id == row["key"] == row["owner"]
    assert state.sequence == row["position"]
    return state.model_dump(exclude=ABOUT_THE_RECORD)


def _public(user: Data) -> Data:
    user["public_metadata"] = json.loads(user["public_metadata"])
    return {name: user[name] for name in UserState.model_fields if name not in ABOUT_THE_RECORD}


def _misfits(
    row: asyncpg.Record, before: Data | None, after: Data | None, *, news: bool
) -> Iterator[str]:
    """Yield why a record should not have been told after the one before."""
    fitting = USER_DELETED if after is None else USER_UPDATED if before else USER_CREATED
    if row["type"] != fitting:
        yield f"{row['key']}: {row['type']} instead of {fitting}"
    if not news and before == after:
        yield f"{row['key']}: told twice, {after}"


_USERS: Final = "SELECT * FROM outbox WHERE topic = 'user.changes' ORDER BY position"
_THERE: Final = "SELECT * FROM users WHERE status NOT IN ('pending', 'deleted')"
_GONE: Final = "SELECT coalesce(array_agg(clerk_id), '{}') FROM users WHERE status = 'deleted'"
