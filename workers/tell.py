"""Tell others of users: into the outbox, in the transaction of the rows; the relay does the rest.

Only what others can see counts as a change: an event that leaves that as it was tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    import asyncpg

    Connection: TypeAlias = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Users of whom others must be told."""

    created: frozenset[uuid.UUID] = frozenset()
    """They were not there before."""
    others: frozenset[uuid.UUID] = frozenset()
    """They have changed, or are deleted."""
    gone: Mapping[uuid.UUID, str] = field(default_factory=dict)
    """They are nobody any more, without a tombstone; with their clerk ids."""

    def __or__(self, more: Changes) -> Changes:
        """Return the changes of both."""
        return Changes(
            created=self.created | more.created,
            others=self.others | more.others,
            gone={**self.gone, **more.gone},
        )


async def tell(connection: Connection, changes: Changes) -> None:
    """Put the state of these users into the outbox, as it is now.

    To be called at the end of the transaction that has locked and changed their rows: others who
    tell wait from here on, until it is committed.
    """
    users = sorted(changes.created | changes.others | changes.gone.keys())
    if users:
        await connection.execute(_SQL["lock_outbox"])
        created = [user in changes.created for user in users]
        gone = [changes.gone.get(user) for user in users]
        await connection.execute(_SQL["tell_users"], users, created, gone)
