"""Derive user_data from the rows that are there: counts, histories, how and when it began.

| key | is |
|---|---|
| session_count | how many sessions the user has had |
| login_history | the newest of them: time, device and address of their first activity |
| name_history | each name the user has had, from the name in every snapshot, with when it was new |
| last_active | the latest activity of the user or of one of the sessions |
| last_clerk_sync | the latest event about the user, by its own time |
| signup_date | users.created_at |
| signup_source | `invite`, `admin` or `clerk`, see below |

`invite`: the user accepted an invitation to an organization that was made before the user was, or
has an address as old as the user that was verified by a `ticket`, the link of an invitation.
`admin`: such an address was verified by `admin`, as the Backend API and the dashboard do. Else
`clerk`: the user signed up. Addresses: data.email_addresses and data.phone_numbers, created_at and
verification.strategy of each.

Sessions in which somebody else acted as the user are not counted. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from schema.postgres.statements import read_statements
from workers.collapse import columns
from workers.project.organizations import InvitationRow
from workers.project.sessions import SessionRow
from workers.project.users import NameRow

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    import asyncpg

    from workers.collapse import Batch

    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

_SQL: Final = read_statements(__file__)


class Due(NamedTuple):
    """What of a user must be derived anew, beside last_clerk_sync."""

    rows: bool
    """Whether sessions, invitations or the user's own row say something new."""
    names: bool
    """Whether the history of names may be another: it has the name of each snapshot there was."""
    alone: bool = False
    """Whether the user is new, with a name at most and nothing else."""


EVERYTHING: Final = Due(rows=True, names=True)


def find_due(
    batch: Batch, *, new: set[uuid.UUID], moved: set[uuid.UUID], renamed: set[uuid.UUID]
) -> dict[uuid.UUID, Due]:
    """Return what must be derived anew after a batch: of most users nothing.

    `new` are those who had no row, `moved` those whose own rows say something new, `renamed` those
    whose names do.
    """
    joined = {row.user_id for row in batch.of(InvitationRow).values()}
    signed_in = {row.user_id for row in batch.of(SessionRow).values()}
    rows = new | moved | joined | signed_in
    called = Counter(row.user_id for row in batch.of(NameRow).values())
    alone = {user for user in new - joined - signed_in if called[user] < 2}
    named = new | renamed
    return {
        user: Due(rows=user in rows, names=user in named, alone=user in alone)
        for user in rows | renamed
    }


async def derive_user_data(
    connection: Connection, due: Mapping[uuid.UUID, Due], *, history_limit: int
) -> None:
    """Bring user_data of these users up to their rows, which must be locked."""
    alone = [user for user, each in due.items() if each.alone]
    others = [(user, each.rows, each.names) for user, each in due.items() if not each.alone]
    if alone:
        await connection.execute(_SQL["begin_user_data"], alone)
    if others:
        await connection.execute(_SQL["derive_user_data"], *columns(others), history_limit)
