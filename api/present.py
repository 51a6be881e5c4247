"""Rows as JSON: which fields, how written, under which ETag. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from api.page import encode_position
from schema.postgres.contracts import PublicProfile, User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.read import Change
    from api.read.events import Entry, Event
    from api.read.organizations import Organization, OwnMembership
    from api.read.posts import Post
    from api.read.profiles import Profile
    from api.read.sessions import Session
    from schema.postgres.rows import UsersRow

PUBLIC: Final = tuple(PublicProfile.model_fields)
"""What every signed-in user sees of another."""

FULL: Final = tuple(User.model_fields)
"""What users see of themselves, and administrators of everyone."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def write_time(moment: datetime) -> str:
    """Write `moment` in UTC to the millisecond: 2026-01-31T12:00:00.000Z (RFC 3339)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def present_user(user: UsersRow, *, fully: bool) -> Mapping[str, object]:
    """Return the fields of `user` that may be seen, ready for `encode`.

    Of the deleted that is the same to the byte, whether their data is held back or erased.
    """
    fields = _bury(user) if user.status == "deleted" else _show(user)
    return {name: fields[name] for name in (FULL if fully else PUBLIC)}


def present_profile(user: Profile) -> Mapping[str, object]:
    """Return what every signed-in user sees of a living one: as `present_user` has it, to the byte.

    It is what is read most.
    """
    created_at = user.created_at
    return {
        "id": user.id,
        "clerk_id": user.clerk_id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "username": user.username,
        "image_url": user.image_url,
        "created_at": None if created_at is None else write_time(created_at),
    }


def _show(user: UsersRow) -> Mapping[str, object]:
    fields = {name: getattr(user, name) for name in FULL}
    # PostgreSQL wrote valid JSON already; passing it through loses no digit of a number.
    fields["public_metadata"] = msgspec.Raw(user.public_metadata)
    return _write(fields)


def _write(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        name: write_time(value) if isinstance(value, datetime) else value
        for name, value in fields.items()
    }


def _bury(user: UsersRow) -> Mapping[str, object]:
    """Return the tombstone of `user`: nothing of the row but who was deleted and when."""
    deleted_at = user.deleted_at or _EPOCH
    return dict.fromkeys(FULL) | {
        "id": user.id,
        "clerk_id": user.clerk_id,
        "email_verified": False,
        "role": "user",
        "status": user.status,
        "public_metadata": {},
        "deleted_at": write_time(deleted_at),
        "version": (deleted_at - _EPOCH) // timedelta(milliseconds=1),
    }


def present_post(post: Post) -> Mapping[str, object]:
    """Return the fields of `post` and of its author, the same for everybody who may see it."""
    return _write(post._asdict()) | {"author": post.author._asdict()}


def present_data(values: Mapping[str, str]) -> Mapping[str, object]:
    """Return what is known of a user, by key, as PostgreSQL wrote it."""
    return {"data": {key: msgspec.Raw(value) for key, value in values.items()}}


def present_session(session: Session) -> Mapping[str, object]:
    """Return the fields of `session`, ready for `encode`."""
    return _write(session._asdict())


def present_organization(
    organization: Organization, membership: OwnMembership | None
) -> Mapping[str, object]:
    """Return the fields of `organization`, and as what the caller belongs to it."""
    own = None
    if membership:
        permissions = msgspec.Raw(membership.permissions)
        own = _write(membership._asdict() | {"permissions": permissions})
    metadata = msgspec.Raw(organization.public_metadata)
    return _write(organization._asdict()) | {"public_metadata": metadata, "membership": own}


def present_entry(entry: Entry) -> Mapping[str, object]:
    """Return the fields of `entry`, ready for `encode`."""
    return _write(entry._asdict())


def present_record(event: Event, *, fully: bool) -> Mapping[str, object]:
    """Return what became of `event`; why it failed is for administrators only."""
    hidden = {"clerk_user_id"} if fully else {"clerk_user_id", "reason"}
    return {name: value for name, value in _write(event._asdict()).items() if name not in hidden}


def present_page(
    rows: Sequence[Mapping[str, object]], *, next_cursor: str | None
) -> Mapping[str, object]:
    """Return the body of a list; `next_cursor` is None on its last page."""
    return {"data": rows, "next_cursor": next_cursor}


def present_changes(
    changes: Sequence[Change], *, next_cursor: str, more: bool
) -> Mapping[str, object]:
    """Return the body of a page of changes; it always says where to go on."""
    data = [present_change(change) for change in changes]
    return {"data": data, "next_cursor": next_cursor, "more": more}


def present_change(change: Change) -> Mapping[str, object]:
    """Return the fields of `change`, ready for `encode`."""
    return {
        "type": change.type,
        "id": change.key,
        "sequence": change.position,
        "occurred_at": write_time(_EPOCH + timedelta(microseconds=change.position)),
        "state": None if change.state is None else msgspec.Raw(change.state),
    }


def present_event(change: Change) -> bytes:
    """Return `change` as a server-sent event.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """
    # Line breaks can stand between the tokens of a state only: in its strings they are escaped.
    data = encode(present_change(change)).replace(b"\r", b" ").replace(b"\n", b" ")
    cursor = encode_position(change.position).encode()
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (cursor, change.type.encode(), data)


def encode(body: Mapping[str, object]) -> bytes:
    """Write `body` as JSON in UTF-8; the same body always gives the same bytes."""
    return msgspec.json.encode(body)


def tag(body: bytes) -> str:
    """Return the ETag of `body`, without its quotes: equal exactly when the bytes are."""
    return hashlib.sha256(body).hexdigest()[:32]
