"""A user as the API must present them to an administrator: a second opinion again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from deploy.demo.values import to_text

if TYPE_CHECKING:
    from deploy.demo.values import Row

HIDDEN: Final = (
    *("version_timestamp", "version_event_id"),
    *("signup_source", "last_event_at"),
    *("deletion_event_id", "erase_at", "held_status", "restored_at"),
)
"""Columns that only order events, are told as user data, or belong to operators."""


def present(row: Row) -> dict[str, Any]:
    """Return the JSON object that stands for a row of `users`."""
    return {name: _plain(value) for name, value in row.items() if name not in HIDDEN}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return to_text(value)
    return str(value) if isinstance(value, UUID) else value
