"""Apply a batch of events in one transaction: rows, ledger and outbox together, or nothing.

Twenty-seven statements at most, whatever the batch holds. Every row is a function of the set of
events seen, so that applying a batch again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from schema.kafka.changes import is_canary
from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from workers.classify import BAD_VALUE, NotNowError, not_now_unless_bad
from workers.collapse import Batch, columns
from workers.derive import derive_user_data, find_due
from workers.edit import edit_data, edit_posts
from workers.erase import empty_organizations, erase_users, find_erased, wait_for_erasures
from workers.project.organizations import InvitationRow, MembershipRow, OrganizationRow
from workers.project.posts import DataRow, PostRow
from workers.project.sessions import SessionRow
from workers.project.users import DeletionRow, NameRow, UserRow
from workers.record import Applied, failed, record
from workers.rename import record_names
from workers.tell import Changes, see_posts, tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    import asyncpg

    from workers.decode import Event
    from workers.project.row import Row

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    BeforeCommit = Callable[[Connection, Sequence[Applied]], Awaitable[None]]
    Changed = Mapping[type[Row], Collection[Any]]

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)
_ACQUIRE_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What an operator decides of the rows."""

    erase_after: timedelta = timedelta(0)
    """How long the data of deleted users is held back, hidden, before it is erased."""
    history_limit: int = 50
    """How many entries the histories in user_data have at most."""
    telling: bool = True
    """Whether others are told what changes."""


DEFAULT: Final = Policy()


async def _nothing_more(_connection: Connection, _applied: Sequence[Applied]) -> None:
    """Let the transaction be committed."""


async def apply(
    pool: asyncpg.Pool[asyncpg.Record],
    events: Sequence[Event],
    policy: Policy = DEFAULT,
    before_commit: BeforeCommit = _nothing_more,
) -> list[Applied]:
    """Apply `events`, and return what became of each, once it is committed.

    An event whose values PostgreSQL refuses is dead, one that a bug of ours fails is to be tried
    again; the others are applied. `before_commit` sees what became of each while it can still be
    undone, by raising. Raises NotNowError when waiting can help; then nothing was applied.
    """
    with not_now_unless_bad():
        async with pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
            try:
                async with connection.transaction():
                    done = await _try_all(connection, events, policy)
                    await _finish(connection, done, policy, before_commit)
            except _FaultError:
                async with connection.transaction():
                    done = await _bisect(connection, events, policy)
                    await _finish(connection, done, policy, before_commit)
    return done.applied


class _Done(NamedTuple):
    """What was done, and not committed yet."""

    applied: list[Applied]
    changes: Changes


async def _finish(
    connection: Connection, done: _Done, policy: Policy, before_commit: BeforeCommit
) -> None:
    await before_commit(connection, done.applied)
    if policy.telling:
        await tell(connection, done.changes)


class _FaultError(Exception):
    """An event at least is bad, or fails by a bug of ours; the cause says which of both."""


async def _try_all(connection: Connection, events: Sequence[Event], policy: Policy) -> _Done:
    try:
        with not_now_unless_bad():
            return await _apply_all(connection, events, policy)
    except NotNowError:
        raise
    except Exception as error:
        raise _FaultError from error


async def _bisect(connection: Connection, events: Sequence[Event], policy: Policy) -> _Done:
    """Apply what can be applied: k bad events among n cost O(k log n) savepoints."""
    try:
        async with connection.transaction():
            return await _try_all(connection, events, policy)
    except _FaultError as fault:
        if len(events) == 1:
            blamed = [_blame(events[0], fault.__cause__)]
            await wait_for_erasures(connection)  # its user's row is not locked any more
            erased = await find_erased(connection, [events[0].clerk_user_id])
            return _Done(await record(connection, blamed, erased=set(erased.values())), Changes())
        middle = len(events) // 2
        first = await _bisect(connection, events[:middle], policy)
        second = await _bisect(connection, events[middle:], policy)
        return _Done(first.applied + second.applied, first.changes | second.changes)


def _blame(event: Event, error: BaseException | None) -> Applied:
    if isinstance(error, BAD_VALUE):
        return failed(event, reason=_explain(error), error_class="poison.data")
    log.error("event_failed_by_bug", event_id=event.event_id, exc_info=error)
    return failed(event, reason=type(error).__name__, error_class="bug")


def _explain(error: Exception) -> str:
    """Say what PostgreSQL refused, without its message: that one quotes the value."""
    state = getattr(error, "sqlstate", None) or "22000"
    place = getattr(error, "constraint_name", None) or getattr(error, "column_name", None)
    return f"{type(error).__name__} (SQLSTATE {state})" + (f" at {place}" if place else "")


async def _apply_all(connection: Connection, events: Sequence[Event], policy: Policy) -> _Done:
    batch = Batch([row for event in events for row in event.rows] + _mentions(events))
    users = await _write_users(connection, batch.of(UserRow))
    if users.unknown and not batch.of(DeletionRow):
        await wait_for_erasures(connection)
    deleted, ended = await _delete_users(connection, batch.of(DeletionRow), policy)
    erased = await find_erased(connection, _doubtful(events, batch, users))
    posts, edited = await edit_posts(connection, batch.of(PostRow).values())
    changed: Changed = {
        UserRow: users.changed,
        DeletionRow: deleted,
        PostRow: posts,
        DataRow: await edit_data(connection, batch.of(DataRow).values()),
        OrganizationRow: await _write_organizations(connection, batch.of(OrganizationRow)),
        SessionRow: await _write_sessions(connection, batch.of(SessionRow)),
        MembershipRow: await _write(
            connection, "upsert_memberships", batch.of(MembershipRow).values()
        ),
        InvitationRow: await _write(
            connection, "upsert_invitations", batch.of(InvitationRow).values()
        ),
    }
    names = [row for row in batch.of(NameRow).values() if row.user_id not in erased]
    renamed = await record_names(connection, names, batch.of(UserRow), users.calm, new=users.new)
    due = find_due(batch, new=users.new, moved=users.moved, renamed=renamed)
    await derive_user_data(connection, due, history_limit=policy.history_limit)
    outcomes = [_outcome(event, batch, changed) for event in events]
    applied = await record(connection, outcomes, erased=set(erased.values()))
    return _Done(applied, users.seen | ended | edited)


def _doubtful(events: Iterable[Event], batch: Batch, users: _Written) -> set[str | None]:
    """Return who may be a tombstone, by Clerk's ids: not those who were just written and live."""
    rows, ends = batch.of(UserRow), batch.of(DeletionRow)
    doubtful = {event.clerk_user_id for event in events}
    doubtful |= {user.clerk_id for user in rows.values()}
    return doubtful - {rows[user].clerk_id for user in users.changed if user not in ends}


def _mentions(events: Iterable[Event]) -> list[Row]:
    """Return whom only the ledger will name: their rows, if there are any, are locked too.

    Else an erasure beside this batch could miss the names that this batch is writing.
    """
    ids = {event.clerk_user_id for event in events if event.clerk_user_id and not event.rows}
    return [UserRow(id=derive_id(each), clerk_id=each, creates=False) for each in ids]


async def _write(connection: Connection, name: str, rows: Collection[Iterable[Any]]) -> set[Any]:
    """Write rows, and return the ids of those that were changed."""
    return {row["id"] for row in await _fetch(connection, name, rows)}


async def _fetch(
    connection: Connection, name: str, rows: Collection[Iterable[Any]]
) -> list[asyncpg.Record]:
    return await connection.fetch(_SQL[name], *columns(rows)) if rows else []


class _Written(NamedTuple):
    """What became of users."""

    changed: set[Any]
    new: set[Any]
    moved: set[Any]
    """Of whom more has changed than the latest event."""
    calm: Mapping[Any, int]
    """Who is called as before, and what the newest version was."""
    seen: Changes
    unknown: bool
    """Whether somebody is only mentioned who had no row to lock."""


async def _write_users(connection: Connection, users: Mapping[Any, UserRow]) -> _Written:
    """Write snapshots and stubs; those who are only mentioned are locked, if they are there."""
    if not users:
        return _Written(set(), set(), set(), {}, Changes(), unknown=False)
    # Almost all are there: one column says so, where to try to insert them takes twenty-one.
    there = {row["id"] for row in await connection.fetch(_SQL["find_users"], list(users))}
    missing = [user[:-1] for user in users.values() if user.creates and user.id not in there]
    found = await _fetch(connection, "insert_users", missing)
    new = {row["id"] for row in found}
    known = [
        user[:-1]
        for user in users.values()
        if user.id not in new and (user.creates or user.id in there)
    ]
    found += await _fetch(connection, "upsert_users", known)
    changed = {row["id"] for row in found}
    others = [
        (user.id, user.last_sign_in_at, user.last_active_at, user.signup_source, user.last_event_at)
        for user in users.values()
        if user.id not in changed and user.creates
    ]
    if others:
        await connection.execute(_SQL["raise_users"], *columns(others))
    moved = {row["id"] for row in found if row["moved"]} | {user[0] for user in others}
    differ = {row["id"] for row in found if row["differs"] or is_canary(users[row["id"]].clerk_id)}
    created = frozenset(row["id"] for row in found if row["created"])
    calm = {row["id"]: row["calm_since"] for row in found if row["calm_since"] is not None}
    seen = Changes(created=created, others=frozenset(differ))
    unknown = len(known) + len(new) < len(users)
    return _Written(changed, new, moved, calm, seen, unknown)


async def _delete_users(
    connection: Connection, deletions: Mapping[Any, DeletionRow], policy: Policy
) -> tuple[set[Any], Changes]:
    if not deletions:
        return set(), Changes()
    hold = policy.erase_after or None
    found = await connection.fetch(_SQL["delete_users"], *columns(sorted(deletions.values())), hold)
    news = [row["id"] for row in found if row["news"]]
    ended = Changes(others=frozenset(news), posts=await see_posts(connection, news))
    await erase_users(connection, deletions)
    return {row["id"] for row in found}, ended


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
    found = await _fetch(connection, "upsert_sessions", sessions.values())
    new = {row["id"] for row in found if row["new"]}
    seen = [
        (
            *(each.id, each.last_active_at, each.device, each.ip_address),
            *(each.activity_version, each.activity_event_id, each.impersonated, each.created_at),
        )
        for each in sessions.values()
        if each.id not in new
    ]
    if seen:
        await connection.execute(_SQL["raise_sessions"], *columns(seen))
    return {row["id"] for row in found}


def _outcome(event: Event, batch: Batch, changed: Changed) -> Applied:
    if event.refused:
        return Applied(event, "refused", event.reason)
    if event.reason:
        return failed(event, reason=event.reason, error_class=event.error_class)
    if not event.rows:
        return Applied(event, "ignored")
    wins = any(row.id in changed.get(type(row), ()) and batch.decided_by(row) for row in event.rows)
    return Applied(event, "applied" if wins else "stale")
