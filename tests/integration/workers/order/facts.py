"""The facts that events tell, by the contract alone: nothing of workers/ is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Data = dict[str, Any]
Version = tuple[int, int, bytes]
"""(ms of the snapshot, ms of the event or 0, id): the greatest is the newest.

What was only looked up at Clerk has no time of its own, and comes before all that has: -1.
"""

LOOKED_UP: Final = -1

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS: Final = 253_402_300_799_999


class BadEventError(Exception):
    """The event cannot be read; it changes nothing and is dead."""


class RefusedError(Exception):
    """The command is not its user's to give; it changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event or command as it was published: its id, its body, and the user in its headers."""

    event_id: str
    body: Data
    subject: str | None = None

    @property
    def at(self) -> int | None:
        """When it happened, in ms; None where it does not say."""
        value = self.body.get("timestamp")
        return None if value is None else to_ms(value)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """That an event names somebody or something; what else it says is in the subclasses."""

    clerk_id: str
    version: Version
    row: Data = field(default_factory=dict)
    """Columns that the winner decides."""


@dataclass(frozen=True, kw_only=True)
class UserNamed(Fact):
    """A projected event names this user, at this time."""

    at: int | None


@dataclass(frozen=True, kw_only=True)
class UserSnapshot(Fact):
    """A whole user."""

    signed_in: datetime | None
    active: datetime | None
    evidence: str


@dataclass(frozen=True, kw_only=True)
class UserDeletion(Fact):
    """The end of a user."""


@dataclass(frozen=True, kw_only=True)
class OrganizationNamed(Fact):
    """A projected event names this organization."""


@dataclass(frozen=True, kw_only=True)
class OrganizationSnapshot(Fact):
    """A whole organization."""


@dataclass(frozen=True, kw_only=True)
class OrganizationDeletion(Fact):
    """The end of an organization."""


@dataclass(frozen=True, kw_only=True)
class SessionTold(Fact):
    """A session as one of its events has it."""

    user: str
    final: bool
    active: datetime | None
    activity: Data | None


@dataclass(frozen=True, kw_only=True)
class MembershipTold(Fact):
    """A membership as one of its events has it."""

    user: str
    organization: str
    deleted: bool


@dataclass(frozen=True, kw_only=True)
class InvitationTold(Fact):
    """An invitation that somebody accepted."""

    user: str
    organization: str


@dataclass(frozen=True, kw_only=True)
class PostCreated(Fact):
    """A post is written; `clerk_id` is its own id, as in the next two."""

    user: str


@dataclass(frozen=True, kw_only=True)
class PostChanged(Fact):
    """Some fields of a post are changed: those of the row."""

    user: str


@dataclass(frozen=True, kw_only=True)
class PostDeleted(Fact):
    """The end of a post."""

    user: str


@dataclass(frozen=True, kw_only=True)
class DataSaid(Fact):
    """A user sets a key of user_data, or deletes it: then the value is None."""

    key: str


def to_ms(value: Any) -> int:
    """Return a time of Clerk's in milliseconds; it may be in seconds."""
    if not isinstance(value, int):
        raise BadEventError("not a time")
    value = value * 1000 if 0 <= value < 10**11 else value
    if not 0 <= value <= LAST_MS:
        raise BadEventError("beyond all calendars")
    return value


def moment(at: int) -> datetime:
    """Return the moment of so many ms."""
    return EPOCH + timedelta(milliseconds=at)
