"""Rows as JSON: which fields, how written, under which ETag. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from schema.postgres.contracts import PublicProfile, User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schema.postgres.rows import UsersRow

PUBLIC: Final = tuple(PublicProfile.model_fields)
"""What every signed-in user sees of another."""

FULL: Final = tuple(User.model_fields)
"""What users see of themselves, and administrators of everyone."""


def write_time(moment: datetime) -> str:
    """Write `moment` in UTC to the millisecond: 2026-01-31T12:00:00.000Z (RFC 3339)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def present_user(user: UsersRow, *, fully: bool) -> Mapping[str, object]:
    """Return the fields of `user` that may be seen, ready for `encode`."""
    fields = {name: getattr(user, name) for name in (FULL if fully else PUBLIC)}
    if fully:
        # PostgreSQL wrote valid JSON already; passing it through loses no digit of a number.
        fields["public_metadata"] = msgspec.Raw(user.public_metadata)
    return {
        name: write_time(value) if isinstance(value, datetime) else value
        for name, value in fields.items()
    }


def present_page(
    users: Sequence[Mapping[str, object]], *, next_cursor: str | None
) -> Mapping[str, object]:
    """Return the body of a list; `next_cursor` is None on its last page."""
    return {"data": users, "next_cursor": next_cursor}


def encode(body: Mapping[str, object]) -> bytes:
    """Write `body` as JSON in UTF-8; the same body always gives the same bytes."""
    return msgspec.json.encode(body)


def tag(body: bytes) -> str:
    """Return the ETag of `body`, without its quotes: equal exactly when the bytes are."""
    return hashlib.sha256(body).hexdigest()[:32]
