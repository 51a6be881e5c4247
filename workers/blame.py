"""Blame an event for what failed with it alone, or us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from workers.classify import BAD_VALUE
from workers.record import failed

if TYPE_CHECKING:
    from workers.decode import Event
    from workers.record import Applied

log = structlog.get_logger(__name__)


def blame(event: Event, error: BaseException | None) -> Applied:
    """Return what becomes of an event that failed alone."""
    if isinstance(error, BAD_VALUE):
        return failed(event, reason=_explain(error), error_class="poison.data")
    log.error("event_failed_by_bug", event_id=event.event_id, exc_info=error)
    return failed(event, reason=type(error).__name__, error_class="bug")


def _explain(error: Exception) -> str:
    """Say what PostgreSQL refused, without its message: that one quotes the value."""
    state = getattr(error, "sqlstate", None) or "22000"
    place = getattr(error, "constraint_name", None) or getattr(error, "column_name", None)
    return f"{type(error).__name__} (SQLSTATE {state})" + (f" at {place}" if place else "")
