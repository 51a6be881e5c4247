"""Collapse a batch to one row per user. Pure.

A statement cannot touch a row twice, and only the newest snapshot of a user matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from workers.project import UserRow

LastSeen = tuple["uuid.UUID", "datetime | None", "datetime | None"]
"""A user's id, latest sign-in and latest activity."""


def newest_by_user(rows: Iterable[UserRow]) -> dict[uuid.UUID, UserRow]:
    """Return each user's earliest tombstone, or else the newest snapshot.

    The same order as in apply.sql, so that a batch ends like its events one by one.
    """
    newest: dict[uuid.UUID, UserRow] = {}
    for row in rows:
        held = newest.get(row.id)
        if held is None or _replaces(row, held):
            newest[row.id] = row
    return newest


def _replaces(row: UserRow, held: UserRow) -> bool:
    if row.deleted_at:
        return held.deleted_at is None or _deletion_order(row) < _deletion_order(held)
    return held.deleted_at is None and _snapshot_order(row) > _snapshot_order(held)


def _deletion_order(row: UserRow) -> tuple[int, str]:
    return row.version, row.version_event_id


def _snapshot_order(row: UserRow) -> tuple[int, int, str]:
    return row.version, row.version_timestamp, row.version_event_id


def last_seen_by_user(rows: Iterable[UserRow]) -> list[LastSeen]:
    """Return each user's latest sign-in and activity, from old snapshots as from new ones."""
    seen: dict[uuid.UUID, LastSeen] = {}
    for row in rows:
        _, sign_in, active = seen.get(row.id, (row.id, None, None))
        seen[row.id] = (
            row.id,
            _latest(sign_in, row.last_sign_in_at),
            _latest(active, row.last_active_at),
        )
    return [each for each in seen.values() if each[1] or each[2]]


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def columns(rows: Iterable[Sequence[Any]], *, width: int) -> list[list[Any]]:
    """Turn rows into columns, as unnest takes them: `width` of them even where no row is."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
