"""Tell others of users and posts: into the outbox, with the rows; the relay does the rest.

Only what others can see counts as a change: an event that leaves that as it was tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from workers.collapse import columns

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Iterable, Mapping

    import asyncpg

    from workers.record import Applied

    Connection: TypeAlias = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

_SQL: Final = read_statements(__file__)


class Seen(NamedTuple):
    """How others could see a post before it changed."""

    owner: str
    """Its author's clerk id."""
    visible: bool
    """Whether there was one, to its author at least."""
    public: bool
    """Whether everyone could see it."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Users and posts of whom others must be told."""

    created: frozenset[uuid.UUID] = frozenset()
    """They were not there before."""
    others: frozenset[uuid.UUID] = frozenset()
    """They have changed, or are deleted."""
    gone: Mapping[uuid.UUID, str] = field(default_factory=dict)
    """They are nobody any more, without a tombstone; with their clerk ids."""
    posts: Mapping[uuid.UUID, Seen] = field(default_factory=dict)
    """They have changed, or are there or gone with their author; as they were seen before."""

    def __or__(self, more: Changes) -> Changes:
        """Return the changes of both; `more` came later."""
        return Changes(
            created=self.created | more.created,
            others=self.others | more.others,
            gone={**self.gone, **more.gone},
            posts={**more.posts, **self.posts},
        )


async def see_posts(
    connection: Connection, authors: Collection[uuid.UUID], *, shown: bool = True
) -> dict[uuid.UUID, Seen]:
    """Return the living posts of these users, as others saw them until now, or had not `shown`.

    To be called before their author's end or return is told, with the authors' rows locked.
    """
    if not authors:
        return {}
    rows = await connection.fetch(_SQL["see_posts"], list(authors))
    return {row["id"]: Seen(row["owner"], shown, shown and row["public"]) for row in rows}


def find_causes(applied: Iterable[Applied]) -> dict[uuid.UUID, str]:
    """Return id of a user or a post -> the trace of the latest event here that has changed it."""
    return {
        row.id: each.event.traceparent
        for each in applied
        if each.outcome == "applied" and each.event.traceparent
        for row in each.event.rows
    }


async def tell(
    connection: Connection, changes: Changes, causes: Mapping[uuid.UUID, str] | None = None
) -> None:
    """Put the state of these users and posts into the outbox, as it is now, and what caused it.

    To be called at the end of the transaction that has locked and changed their rows: others who
    tell wait from here on, until it is committed.
    """
    causes = causes or {}
    users = sorted(changes.created | changes.others | changes.gone.keys())
    if users or changes.posts:
        await connection.execute(_SQL["lock_outbox"])
    if users:
        created = [user in changes.created for user in users]
        gone = [changes.gone.get(user) for user in users]
        traces = [causes.get(user) for user in users]
        await connection.execute(_SQL["tell_users"], users, created, gone, traces)
    if changes.posts:
        posts = columns(
            (post, *seen, _cause(post, seen, causes)) for post, seen in changes.posts.items()
        )
        await connection.execute(_SQL["tell_posts"], *posts)


def _cause(post: uuid.UUID, seen: Seen, causes: Mapping[uuid.UUID, str]) -> str | None:
    if not causes:
        return None
    # A post that comes or goes with its author has no event of its own.
    return causes.get(post) or causes.get(derive_id(seen.owner))
