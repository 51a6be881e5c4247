"""Apply a batch of events in one transaction: rows and ledger together, or nothing.

Fifteen statements at most, whatever the batch holds. Every row is a function of the set of events
seen, so that applying a batch again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from workers.collapse import Batch, columns
from workers.derive import derive_user_data
from workers.erase import empty_organizations, erase_users
from workers.project.organizations import InvitationRow, MembershipRow, OrganizationRow
from workers.project.sessions import SessionRow
from workers.project.users import DeletionRow, NameRow, UserRow
from workers.record import Applied, record
from workers.retry import BAD_VALUE, not_now_unless_bad

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import asyncpg

    from workers.decode import Event
    from workers.project.row import Row

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Changed = Mapping[type[Row], Collection[Any]]

_SQL: Final = read_statements(__file__)
_ACQUIRE_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What an operator decides of the rows."""

    erase_after: timedelta = timedelta(0)
    """How long the data of deleted users is held back, hidden, before it is erased."""
    history_limit: int = 50
    """How many entries the histories in user_data have at most."""


DEFAULT: Final = Policy()


async def apply(
    pool: asyncpg.Pool[asyncpg.Record], events: Sequence[Event], policy: Policy = DEFAULT
) -> list[Applied]:
    """Apply `events`, and return what became of each, once it is committed.

    An event whose values PostgreSQL refuses is dead; the others are applied all the same.
    Raises NotNowError when waiting can help; then nothing of the batch was applied.
    """
    with not_now_unless_bad():
        async with pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
            try:
                async with connection.transaction():
                    return await _apply_all(connection, events, policy)
            except BAD_VALUE:
                async with connection.transaction():
                    return await _bisect(connection, events, policy)


async def _bisect(connection: Connection, events: Sequence[Event], policy: Policy) -> list[Applied]:
    """Apply what can be applied: k bad events among n cost O(k log n) savepoints."""
    try:
        async with connection.transaction():
            return await _apply_all(connection, events, policy)
    except BAD_VALUE as error:
        if len(events) == 1:
            return await record(connection, [Applied(events[0], "dead", _explain(error))])
        middle = len(events) // 2
        return [
            *await _bisect(connection, events[:middle], policy),
            *await _bisect(connection, events[middle:], policy),
        ]


def _explain(error: Exception) -> str:
    """Say what PostgreSQL refused, without its message: that one quotes the value."""
    state = getattr(error, "sqlstate", None) or "22000"
    place = getattr(error, "constraint_name", None) or getattr(error, "column_name", None)
    return f"{type(error).__name__} (SQLSTATE {state})" + (f" at {place}" if place else "")


async def _apply_all(
    connection: Connection, events: Sequence[Event], policy: Policy
) -> list[Applied]:
    batch = Batch([row for event in events for row in event.rows] + _mentions(events))
    changed: Changed = {
        UserRow: await _write_users(connection, batch.of(UserRow)),
        DeletionRow: await _delete_users(connection, batch.of(DeletionRow), policy),
        OrganizationRow: await _write_organizations(connection, batch.of(OrganizationRow)),
        SessionRow: await _write_sessions(connection, batch.of(SessionRow)),
        MembershipRow: await _write(
            connection, "upsert_memberships", batch.of(MembershipRow).values()
        ),
        InvitationRow: await _write(
            connection, "upsert_invitations", batch.of(InvitationRow).values()
        ),
    }
    names = batch.of(NameRow)
    if names:
        await connection.execute(_SQL["record_names"], *columns(names.values()))
    users = [user.id for user in batch.of(UserRow).values() if user.creates]
    if users:
        await derive_user_data(connection, users, history_limit=policy.history_limit)
    return await record(connection, [_outcome(event, batch, changed) for event in events])


def _mentions(events: Iterable[Event]) -> list[Row]:
    """Return whom only the ledger will name: their rows, if there are any, are locked too.

    Else an erasure beside this batch could miss the names that this batch is writing.
    """
    ids = {event.clerk_user_id for event in events if event.clerk_user_id and not event.rows}
    return [UserRow(id=derive_id(each), clerk_id=each, creates=False) for each in ids]


async def _write(connection: Connection, name: str, rows: Collection[Iterable[Any]]) -> set[Any]:
    """Write rows, and return the ids of those that were changed."""
    if not rows:
        return set()
    found = await connection.fetch(_SQL[name], *columns(rows))
    return {row["id"] for row in found}


async def _write_users(connection: Connection, users: Mapping[Any, UserRow]) -> set[Any]:
    """Write snapshots and stubs; those who are only mentioned are locked, if they are there."""
    creating = [user[:-1] for user in users.values() if user.creates]
    new = await _write(connection, "insert_users", creating)
    known = [user[:-1] for user in users.values() if user.id not in new]
    changed = new | await _write(connection, "upsert_users", known)
    others = [
        (user.id, user.last_sign_in_at, user.last_active_at, user.signup_source, user.last_event_at)
        for user in users.values()
        if user.id not in changed and user.creates
    ]
    if others:
        await connection.execute(_SQL["raise_users"], *columns(others))
    return changed


async def _delete_users(
    connection: Connection, deletions: Mapping[Any, DeletionRow], policy: Policy
) -> set[Any]:
    if not deletions:
        return set()
    hold = policy.erase_after or None
    found = await connection.fetch(_SQL["delete_users"], *columns(sorted(deletions.values())), hold)
    await erase_users(connection, deletions)
    return {row["id"] for row in found}


async def _write_organizations(
    connection: Connection, organizations: Mapping[Any, OrganizationRow]
) -> set[Any]:
    new = await _write(connection, "insert_organizations", organizations.values())
    known = [each for each in organizations.values() if each.id not in new]
    changed = new | await _write(connection, "upsert_organizations", known)
    ended = [each.id for each in organizations.values() if each.deleted_at]
    if ended:
        await empty_organizations(connection, ended)
    return changed


async def _write_sessions(connection: Connection, sessions: Mapping[Any, SessionRow]) -> set[Any]:
    changed = await _write(connection, "upsert_sessions", sessions.values())
    if sessions:
        seen = [
            (
                *(each.id, each.last_active_at, each.device, each.ip_address),
                *(each.activity_version, each.activity_event_id),
            )
            for each in sessions.values()
        ]
        await connection.execute(_SQL["raise_sessions"], *columns(seen))
    return changed


def _outcome(event: Event, batch: Batch, changed: Changed) -> Applied:
    if event.reason:
        return Applied(event, "dead", event.reason)
    if not event.rows:
        return Applied(event, "ignored")
    wins = any(row.id in changed.get(type(row), ()) and batch.decided_by(row) for row in event.rows)
    return Applied(event, "applied" if wins else "stale")
