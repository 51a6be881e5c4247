"""What there is to fill: users, organizations, memberships.

In this order those whom a membership names are there before it; any order would end the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from deploy.clerk.walk import (
    count_memberships,
    count_organizations,
    count_users,
    walk_memberships,
    walk_organizations,
    walk_users,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from deploy.clerk.walk import Page
    from schema.clerk.client import Clerk
    from schema.kafka.snapshots import Kind

Name = Literal["users", "organizations", "memberships"]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something that Clerk has many of."""

    name: Name
    kind: Kind
    """What its snapshots are called."""
    count: Callable[[Clerk], Awaitable[int]]
    """Returns how many of it Clerk has."""
    walker: Callable[..., AsyncIterator[Page]]

    def walk(self, clerk: Clerk, cursor: str | None = None) -> AsyncGenerator[Page, None]:
        """Return its pages from after `cursor` on; close them when they are not read to the end."""
        return cast("AsyncGenerator[Page, None]", self.walker(clerk, cursor=cursor))


USERS: Final = Resource(name="users", kind="user", count=count_users, walker=walk_users)
ORGANIZATIONS: Final = Resource(
    name="organizations",
    kind="organization",
    count=count_organizations,
    walker=walk_organizations,
)
MEMBERSHIPS: Final = Resource(
    name="memberships",
    kind="organizationMembership",
    count=count_memberships,
    walker=walk_memberships,
)
RESOURCES: Final = (USERS, ORGANIZATIONS, MEMBERSHIPS)
