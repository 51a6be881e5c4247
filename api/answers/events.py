"""Events, and the changes that come of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, JsonValue, RootModel

from api.answers.pages import Page
from api.answers.users import PROFILE
from schema.postgres.rows import EventsOutcome


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HistoryEntry(_Answer):
    """An event or a command about a user."""

    event_id: str
    type: str
    occurred_at: datetime
    outcome: EventsOutcome


class HistoryPage(Page[HistoryEntry]):
    """A page of a user's history."""


class OwnEvent(HistoryEntry):
    """What became of an event or a command, to whom it is about."""

    received_at: datetime
    applied_at: datetime


class FullEvent(OwnEvent):
    """The same to administrators."""

    reason: str | None
    """Why it is retrying, dead or refused."""


class EventAnswer(RootModel[FullEvent | OwnEvent]):
    """What became of an event or a command."""


class ChangeAnswer(_Answer):
    """A change of a user or of a post."""

    type: str
    id: str
    """Whose: Clerk's id of the user, or the id of the post."""
    sequence: int
    """Its place among all changes."""
    occurred_at: datetime
    state: JsonValue
    """The state after it; null where nothing is left, or may be shown."""


class ChangePage(_Answer):
    """A page of changes."""

    data: list[ChangeAnswer]
    next_cursor: str
    """Send it as `since` to go on; there is always one."""
    more: bool
    """Whether others come after them already."""


class CanaryAnswer(_Answer):
    """How new a canary is."""

    version: int


ENTRY: Final[dict[str, Any]] = {
    "event_id": "msg_2oWkXp7sQyEj9TnVdMzRcHgLfUb",
    "type": "user.updated",
    "occurred_at": "2026-02-01T10:00:00.123Z",
    "outcome": "applied",
}
EVENT: Final[dict[str, Any]] = ENTRY | {
    "received_at": "2026-02-01T10:00:00.480Z",
    "applied_at": "2026-02-01T10:00:00.512Z",
}
CHANGES: Final[dict[str, Any]] = {
    "data": [
        {
            "type": "clerkwork.user.deleted",
            "id": PROFILE["clerk_id"],
            "sequence": 1_770_112_800_000_000,
            "occurred_at": "2026-02-03T10:00:00.000Z",
            "state": None,
        }
    ],
    "next_cursor": "AQAGSe1pOkAA",
    "more": False,
}
