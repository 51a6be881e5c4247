"""Project one event onto the rows it asks for. Pure: an envelope in, rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.kafka.clerk import Envelope, read_ms, time_from_ms
from schema.kafka.snapshots import ABSENCE, SNAPSHOT
from workers.project.organizations import (
    project_invitation,
    project_membership,
    project_organization,
    project_organization_deletion,
)
from workers.project.row import Row, Stamp
from workers.project.sessions import project_session
from workers.project.users import project_user, project_user_deletion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Projection = Callable[[Envelope, Stamp], Iterable[Row]]

PROJECTIONS: Final[Mapping[str, Projection]] = {
    "user.created": project_user,
    "user.updated": project_user,
    "user.deleted": project_user_deletion,
    "session.created": project_session,
    "session.pending": project_session,
    "session.ended": project_session,
    "session.removed": project_session,
    "session.revoked": project_session,
    "organization.created": project_organization,
    "organization.updated": project_organization,
    "organization.deleted": project_organization_deletion,
    "organizationMembership.created": project_membership,
    "organizationMembership.updated": project_membership,
    "organizationMembership.deleted": project_membership,
    "organizationInvitation.accepted": project_invitation,
    f"{SNAPSHOT}user": project_user,
    f"{SNAPSHOT}session": project_session,
    f"{SNAPSHOT}organization": project_organization,
    f"{SNAPSHOT}organizationMembership": project_membership,
    f"{ABSENCE}user": project_user_deletion,
    f"{ABSENCE}session": project_session,
    f"{ABSENCE}organization": project_organization_deletion,
    f"{ABSENCE}organizationMembership": project_membership,
}
"""Event type -> what it changes; every other type changes nothing here."""


def project(envelope: Envelope, event_id: str) -> tuple[Row, ...]:
    """Return the rows that the event asks for, none where its type changes nothing here.

    Raises MalformedEventError naming the field that cannot be kept.
    """
    projection = PROJECTIONS.get(envelope.type)
    if projection is None:
        return ()
    timestamp = read_ms(envelope.timestamp or 0, "$.timestamp")
    occurred_at = None if envelope.timestamp is None else time_from_ms(timestamp)
    # When somebody looked at Clerk must not decide between what they saw and a webhook.
    order = 0 if envelope.type.startswith((SNAPSHOT, ABSENCE)) else timestamp
    return tuple(projection(envelope, Stamp(order, event_id, occurred_at, at=timestamp)))
