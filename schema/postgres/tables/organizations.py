"""Organizations, who belongs to them, and the invitations that were accepted."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from schema.postgres.tables.columns import (
    METADATA,
    json,
    keys,
    one_of,
    reference,
    time,
    versions,
)

ORGANIZATION_STATUSES: Final = ("pending", "active", "deleted")

ORGANIZATIONS: Final = sa.Table(
    "organizations",
    METADATA,
    *keys("organization"),
    sa.Column("name", sa.Text, comment="its name; null on stubs and tombstones"),
    sa.Column("slug", sa.Text, comment="its name in addresses"),
    sa.Column("image_url", sa.Text, comment="logo"),
    json("public_metadata", "public_metadata as Clerk has it"),
    sa.Column(
        "status",
        sa.Text,
        nullable=False,
        server_default="pending",
        comment="pending (referenced, not yet seen) | active | deleted (a tombstone)",
    ),
    time("created_at", "when it was created; null on stubs and tombstones"),
    time("updated_at", "data.updated_at of the applied snapshot; null on stubs and tombstones"),
    time("deleted_at", "when it was deleted"),
    *versions("data.updated_at in ms (a tombstone: the deletion's time); the newest wins"),
    one_of("status", ORGANIZATION_STATUSES),
    comment="One row for each Clerk organization, living or deleted.",
)

MEMBERSHIPS: Final = sa.Table(
    "organization_memberships",
    METADATA,
    *keys("membership"),
    reference("organization_id", "organizations", "the organization"),
    reference("user_id", "users", "the member"),
    sa.Column("role", sa.Text, nullable=False, comment="such as org:admin"),
    json("permissions", "names of what the role allows", default="[]"),
    json("public_metadata", "public_metadata as Clerk has it"),
    time("created_at", "when the user became a member", nullable=False),
    time("updated_at", "data.updated_at of the applied snapshot", nullable=False),
    time("deleted_at", "when the membership ended; null while it lasts"),
    *versions("data.updated_at in ms; the newest wins, but an end stays"),
    comment="One row for each membership, lasting or ended, of a living organization and a user"
    " who is not erased.",
)
sa.Index("organization_memberships_organization_id_idx", MEMBERSHIPS.c.organization_id)
sa.Index("organization_memberships_user_id_idx", MEMBERSHIPS.c.user_id)

INVITATIONS: Final = sa.Table(
    "organization_invitations",
    METADATA,
    *keys("invitation"),
    reference("organization_id", "organizations", "the organization"),
    reference("user_id", "users", "who accepted it"),
    sa.Column("role", sa.Text, nullable=False, comment="the role it brought, such as org:member"),
    time("created_at", "when it was made", nullable=False),
    time("accepted_at", "data.updated_at: when it was accepted", nullable=False),
    *versions("data.updated_at in ms; the newest wins"),
    comment="One row for each accepted invitation of a user who is not erased.",
)
sa.Index("organization_invitations_organization_id_idx", INVITATIONS.c.organization_id)
sa.Index("organization_invitations_user_id_idx", INVITATIONS.c.user_id)
