"""What there is to fill: users, organizations, memberships.

In this order those whom a membership names are there before it; any order would end the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from deploy.clerk.walk import (
    count_memberships,
    count_organizations,
    count_users,
    walk_memberships,
    walk_organizations,
    walk_users,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

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
    walk: Callable[..., AsyncGenerator[Page, None]]
    """Returns its pages; close them when they are not read to the end."""


USERS: Final = Resource(name="users", kind="user", count=count_users, walk=walk_users)
ORGANIZATIONS: Final = Resource(
    name="organizations",
    kind="organization",
    count=count_organizations,
    walk=walk_organizations,
)
MEMBERSHIPS: Final = Resource(
    name="memberships",
    kind="organizationMembership",
    count=count_memberships,
    walk=walk_memberships,
)
RESOURCES: Final = (USERS, ORGANIZATIONS, MEMBERSHIPS)
