"""Project sessions: each with the user that webhooks nest in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

from schema.kafka.clerk import (
    SESSION,
    Activity,
    Envelope,
    MalformedEventError,
    Session,
    read_data,
    read_ms,
    time_from_ms,
)
from schema.kafka.snapshots import ABSENCE, SNAPSHOT
from schema.postgres.ids import derive_id
from workers.project.row import Order, Row, latest, read_time, version_order
from workers.project.users import name_user, snapshot
from workers.reject import reject_nuls

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator
    from datetime import datetime

    from workers.project.row import Stamp

FINAL_STATUSES: Final = frozenset({"ended", "removed", "revoked"})
"""What Clerk tells of the end of a session: nothing follows. In apply.sql too."""

OPEN_STATUSES: Final = frozenset({"pending", "active", "expired", "abandoned", "replaced"})
"""What a session can be besides; time ends it too, but Clerk sends no event for that."""

_STATUSES: Final = FINAL_STATUSES | OPEN_STATUSES


class SessionRow(NamedTuple):
    """A session as one event has it."""

    id: uuid.UUID
    clerk_id: str
    user_id: uuid.UUID
    status: str
    impersonated: bool
    device: str | None
    ip_address: str | None
    last_active_at: datetime | None
    expire_at: datetime | None
    abandon_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    version_timestamp: int
    version_event_id: str
    activity_version: int | None
    activity_event_id: str | None

    def merge(self, other: Self) -> Self:
        """Return the later snapshot, or the final one, with the first activity of both.

        When and by whom it was begun never changes, but not everyone knows: an absence may not.
        """
        winner = max(self, other, key=_order)
        active = [row for row in (self, other) if row.activity_version is not None]
        first = min(active, key=_activity_order, default=winner)
        return winner._replace(
            impersonated=self.impersonated or other.impersonated,
            created_at=min(self.created_at, other.created_at),
            last_active_at=latest(self.last_active_at, other.last_active_at),
            device=first.device,
            ip_address=first.ip_address,
            activity_version=first.activity_version,
            activity_event_id=first.activity_event_id,
        )


def _order(row: SessionRow) -> tuple[bool, Order]:
    return row.status in FINAL_STATUSES, version_order(row)


def _activity_order(row: SessionRow) -> tuple[int, str]:
    return row.activity_version or 0, row.activity_event_id or ""


def project_session(envelope: Envelope, stamp: Stamp) -> Iterator[Row]:
    """Yield the session, and its user as far as the event knows them."""
    session = read_data(envelope, SESSION)
    reject_nuls(envelope.data, session)
    if session.user is None:
        yield name_user(session.user_id, stamp)
    elif session.user.id == session.user_id:
        yield from snapshot(session.user, stamp, at="$.data.user")
    else:
        raise MalformedEventError("$.data.user.id", "not the user of the session")
    yield _row(session, stamp, status=_status(envelope.type, session.status))


def _row(session: Session, stamp: Stamp, *, status: str) -> SessionRow:
    version = read_ms(session.updated_at, "$.data.updated_at")
    updated_at = time_from_ms(version)
    activity = session.latest_activity
    return SessionRow(
        id=derive_id(session.id),
        clerk_id=session.id,
        user_id=derive_id(session.user_id),
        status=status,
        impersonated=isinstance(session.actor, dict),
        device=_device(activity) if activity else None,
        ip_address=(activity.ip_address or None) if activity else None,
        last_active_at=read_time(session.last_active_at, "$.data", "last_active_at"),
        expire_at=read_time(session.expire_at, "$.data", "expire_at"),
        abandon_at=read_time(session.abandon_at, "$.data", "abandon_at"),
        created_at=read_time(session.created_at, "$.data", "created_at") or updated_at,
        updated_at=updated_at,
        version=version,
        version_timestamp=stamp.timestamp,
        version_event_id=stamp.event_id,
        activity_version=version if activity else None,
        activity_event_id=stamp.event_id if activity else None,
    )


def _status(event_type: str, said: str | None) -> str:
    """Return the status: an end is known by the type, which cannot lag behind.

    A snapshot is believed what it says. A status that nobody knows yet counts as pending there: it
    ends nothing for good, and nobody is held to be signed in by it.
    """
    if event_type.startswith(ABSENCE):
        return "removed"
    if event_type.startswith(SNAPSHOT):
        return said if said in _STATUSES else "pending"
    told = event_type.partition(".")[2]
    if told in FINAL_STATUSES:
        return told
    if said in OPEN_STATUSES:
        return said
    return "pending" if told == "pending" else "active"


def _device(activity: Activity) -> str | None:
    """Return such as `Chrome on Macintosh`."""
    return " on ".join(filter(None, (activity.browser_name, activity.device_type))) or None
