"""A user as the API must present them to an administrator: a second opinion again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from deploy.demo.predict import Row

HIDDEN: Final = ("version_timestamp", "version_event_id")
"""Columns that only order events."""


def present(row: Row) -> dict[str, Any]:
    """Return the JSON object that stands for a row of `users`."""
    return {name: _plain(value) for name, value in row.items() if name not in HIDDEN}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value) if isinstance(value, UUID) else value
