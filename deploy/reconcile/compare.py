"""Compare what a page of Clerk's has with our rows, in one statement for each page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from schema.kafka.clerk import Envelope, MalformedEventError
from schema.kafka.snapshots import SNAPSHOT
from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from workers.project import project
from workers.project.organizations import MembershipRow, OrganizationRow
from workers.project.users import UserRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    import asyncpg

    from deploy.clerk.walk import Page
    from schema.kafka.snapshots import Kind
    from workers.project.row import Row

    Connection = asyncpg.Connection[asyncpg.Record]
    Compare = Callable[[Connection, Page], Awaitable[int]]

RowT = TypeVar("RowT", UserRow, OrganizationRow, MembershipRow)
_SQL: Final = read_statements(__file__)

_COLUMNS: Final = (
    *("id", "clerk_id", "email", "email_verified", "first_name", "last_name", "username"),
    *("image_url", "external_id", "role", "status", "public_metadata", "created_at", "version"),
)
"""What compare_users takes of a user."""


@dataclass(frozen=True, kw_only=True)
class Projected:
    """What we would write of a page."""

    rows: tuple[tuple[Row, ...], ...]
    """For each thing that can be kept, in the page's order."""
    unreadable: int


def project_things(kind: Kind, things: Iterable[bytes], *, clock_ms: int) -> Projected:
    """Return what workers would make of what Clerk has."""
    rows, unreadable = list[tuple["Row", ...]](), 0
    for thing in things:
        try:
            rows.append(_project(kind, thing, clock_ms))
        except MalformedEventError:
            unreadable += 1
    return Projected(rows=tuple(rows), unreadable=unreadable)


def _project(kind: Kind, thing: bytes, clock_ms: int) -> tuple[Row, ...]:
    envelope = Envelope(type=SNAPSHOT + kind, data=msgspec.Raw(thing), timestamp=clock_ms)
    return project(envelope, "")


async def compare_users(connection: Connection, page: Page) -> int:
    """Suspect the users of a page who are not so here; return how many could not be read."""
    return await compare_things(connection, page.things, clock_ms=page.clock_ms)


async def compare_things(connection: Connection, things: Iterable[bytes], *, clock_ms: int) -> int:
    """Do it with any users that Clerk had when its clock said `clock_ms`."""
    projected = project_things("user", things, clock_ms=clock_ms)
    users = list(_only(UserRow, projected))
    await connection.execute(
        _SQL["compare_users"],
        clock_ms,
        *([getattr(user, column) for user in users] for column in _COLUMNS),
    )
    return projected.unreadable


async def compare_organizations(connection: Connection, page: Page) -> int:
    """Do the same with organizations."""
    projected = project_things("organization", page.things, clock_ms=page.clock_ms)
    await connection.execute(
        _SQL["compare_organizations"],
        page.clock_ms,
        *_transpose(
            3, ((row.id, row.clerk_id, row.version) for row in _only(OrganizationRow, projected))
        ),
    )
    return projected.unreadable


async def compare_memberships(connection: Connection, page: Page) -> int:
    """Do the same with memberships."""
    projected = project_things("organizationMembership", page.things, clock_ms=page.clock_ms)
    await connection.execute(
        _SQL["compare_memberships"],
        page.clock_ms,
        *_transpose(5, (_name_parties(rows) for rows in projected.rows)),
    )
    return projected.unreadable


def _name_parties(rows: tuple[Row, ...]) -> tuple[object, ...]:
    """Return a membership's id, Clerk's id, version, and whom it connects."""
    [membership] = (row for row in rows if isinstance(row, MembershipRow))
    [user] = (row for row in rows if isinstance(row, UserRow))
    [organization] = (row for row in rows if isinstance(row, OrganizationRow))
    parties = user.clerk_id, organization.clerk_id
    return membership.id, membership.clerk_id, membership.version, *parties


def _only(kind: type[RowT], projected: Projected) -> Iterator[RowT]:
    return (row for rows in projected.rows for row in rows if isinstance(row, kind))


def _transpose(width: int, rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    columns: list[list[object]] = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns


COMPARISONS: Final[Mapping[str, Compare]] = {
    "users": compare_users,
    "organizations": compare_organizations,
    "memberships": compare_memberships,
}
"""Resource -> how its pages are compared."""


async def name_all(connection: Connection, page: Page) -> None:
    """Note whom a page names, so that the others can be found in the end."""
    await connection.copy_records_to_table(
        "named", records=[(derive_id(each.id),) for each in page.seen], columns=["id"]
    )


async def forget_named(connection: Connection) -> None:
    """Make room for the next resource."""
    await connection.execute(_SQL["forget_named"])
