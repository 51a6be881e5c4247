"""Events: a search among them, and all that is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from deploy.desk.models.frame import Fact, Option
    from deploy.desk.models.letters import LetterRow
    from deploy.desk.models.operations import OperationRow


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """What was asked for, as it stands in the form; empty asks for nothing."""

    q: str
    """A svix-id or a clerk user id."""
    user: str
    type: str
    outcomes: tuple[Option, ...]
    """Of the field `outcome`."""
    since: str
    until: str
    canaries: bool
    """Whether the events of canaries are shown too: the field `canaries`, `yes`."""


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """An event in a list."""

    event_id: str
    type: str
    user: str
    """The clerk user id; empty where it is about none."""
    received_at: datetime
    applied_at: datetime | None
    seconds: float | None
    """How long that took."""
    outcome: str
    """applied | stale | ignored | retrying | dead | refused; waiting: no worker came to it yet."""
    reason: str
    place: str
    """TOPIC/PARTITION/OFFSET."""
    canary: bool
    url: str
    user_url: str
    """The search for this user; empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class EventsPage:
    """What was found; events.html."""

    filter: EventFilter
    filtered: bool
    """Whether anything is asked for at all."""
    rows: tuple[EventRow, ...]
    """The newest first, 50 at most."""
    looked_at: int
    """How many events were looked through for them."""
    back_to: datetime | None
    """How far back that goes; None where there is nothing older."""
    older_url: str
    """Where the search goes on; empty at the end."""
    newest_url: str
    """Where it begins; empty at the beginning."""
    problem: str
    """What is wrong with the question; empty where nothing is."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that happened to an event."""

    name: Literal["received", "stored", "worked", "died", "replayed", "told", "published"]
    title: str
    at: datetime | None
    state: Literal["good", "bad", "waiting", "neutral"]
    after_s: float | None
    """How long after the event was received."""
    facts: tuple[Fact, ...]
    url: str = ""
    """Where more is to be seen; empty for nowhere."""


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """All that is known of an event; event.html."""

    event_id: str
    known: bool
    """Whether anything is; else `words` says what that means."""
    words: str
    type: str
    user: str
    user_url: str
    outcome: str
    """As of an EventRow; empty where nothing is known."""
    reason: str
    steps: tuple[Step, ...]
    """In the order in which they happened."""
    letters: tuple[LetterRow, ...]
    operations: tuple[OperationRow, ...]
