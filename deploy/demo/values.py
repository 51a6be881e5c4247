"""Values as they stand in rows: keys, times."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from schema.postgres.ids import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable

Row: TypeAlias = dict[str, Any]
"""Column -> value."""

Rows: TypeAlias = Mapping[str, Row]
"""Clerk's id -> the row that stands for it."""

Tables: TypeAlias = Mapping[str, Rows]
"""Table -> its rows."""


def to_id(clerk_id: str) -> uuid.UUID:
    """Return the key of the row that stands for `clerk_id`."""
    return uuid.uuid5(NAMESPACE, clerk_id)


def keys(clerk_id: str) -> Row:
    """Return the two keys of that row."""
    return {"id": to_id(clerk_id), "clerk_id": clerk_id}


def to_time(ms: int) -> datetime:
    """Return the moment that Clerk writes as milliseconds."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def to_text(moment: datetime) -> str:
    """Write a moment as JSON of ours has it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def latest(times: Iterable[int | None]) -> datetime | None:
    """Return the latest of the times that are known, None when none is."""
    known = [ms for ms in times if ms is not None]
    return to_time(max(known)) if known else None
