"""What there is to fill: users, organizations, memberships, in this order.

Whoever is named before is there already then; it would do in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from deploy.clerk.walk import walk_memberships, walk_organizations, walk_users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from deploy.clerk.walk import Page
    from schema.kafka.snapshots import Kind

Name = Literal["users", "organizations", "memberships"]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something that Clerk has many of."""

    name: Name
    kind: Kind
    """What its snapshots are called."""
    counted_at: str
    """Where Clerk says how many there are, as `total_count`."""
    walk: Callable[..., AsyncIterator[Page]]


USERS: Final = Resource(name="users", kind="user", counted_at="/users/count", walk=walk_users)
ORGANIZATIONS: Final = Resource(
    name="organizations",
    kind="organization",
    counted_at="/organizations",
    walk=walk_organizations,
)
MEMBERSHIPS: Final = Resource(
    name="memberships",
    kind="organizationMembership",
    counted_at="/organization_memberships",
    walk=walk_memberships,
)
RESOURCES: Final = (USERS, ORGANIZATIONS, MEMBERSHIPS)
