"""Dead letters: the list, one of them, and what is about to be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from deploy.desk.models.frame import Count, Fact, Option, Point
    from deploy.desk.models.operations import OperationRow


@dataclass(frozen=True, kw_only=True)
class LetterFilter:
    """What was asked for, as it stands in the form; empty asks for nothing."""

    states: tuple[Option, ...]
    """Of the field `state`, which may be there several times; none chosen: open."""
    reason: str
    error_class: str
    type: str
    user: str
    topic: str
    since: str
    until: str
    event: str


@dataclass(frozen=True, kw_only=True)
class LetterRow:
    """A letter in a list."""

    place: str
    """TOPIC/PARTITION/OFFSET."""
    dead_at: datetime
    state: str
    """open | replaying | replayed | parked | purged."""
    error_class: str
    error_code: str
    reason: str
    type: str
    user: str
    event_id: str
    source: str
    """Where the record was first read; empty where that is not known."""
    attempts: int
    replays: int
    edited: bool
    url: str
    event_url: str
    """Empty where the letter does not name its event."""


@dataclass(frozen=True, kw_only=True)
class LettersPage:
    """What was found; letters.html."""

    filter: LetterFilter
    filtered: bool
    """Whether more is asked for than the letters that are open."""
    rows: tuple[LetterRow, ...]
    """The newest first, 50 at most."""
    total: int
    """How many there are on all pages."""
    by_class: tuple[Count, ...]
    by_reason: tuple[Count, ...]
    by_type: tuple[Count, ...]
    by_time: tuple[Point, ...]
    unit: str
    """What a point of `by_time` is: hour | day."""
    older_url: str
    newest_url: str
    replay_url: str
    """The dry run of a replay of all that match; empty where nothing waits."""
    purge_url: str
    """The same for a purge."""
    problem: str
    """What is wrong with the question; empty where nothing is."""


@dataclass(frozen=True, kw_only=True)
class PlanPage:
    """A dry run: what would become of the letters of a selection; plan.html.

    Posting the fields to `action_url` does it.
    """

    action: Literal["replay", "purge"]
    asked: tuple[Fact, ...]
    """What the letters have in common."""
    letters: int
    """Would be replayed, or purged."""
    gone: int
    """Would be marked as purged, because Kafka does not have them any more."""
    astray: int
    """Would stay: they do not come from a topic that is consumed here."""
    fields: tuple[Fact, ...]
    """Hidden fields."""
    action_url: str
    back_url: str
    busy_url: str
    """The operation of theirs that the operator has to wait for first; empty for none."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """What a letter holds."""

    lines: tuple[str, ...]
    masked: bool
    bytes: int


@dataclass(frozen=True, kw_only=True)
class LetterPage:
    """One letter; letter.html.

    The payload is shown in full in the answer to a post to `reveal_url`, and then can be edited:
    the field `payload` is posted to `edit_url`. Or one value of it: the field `assignment`,
    `data.id="user_1"`.
    """

    row: LetterRow
    facts: tuple[Fact, ...]
    headers: tuple[Fact, ...]
    """Those that may hold personal data are masked unless the payload is shown in full."""
    payload: Payload | None
    """None where Kafka does not have the record any more."""
    operations: tuple[OperationRow, ...]
    waits: bool
    """Whether something can be done with it: it is open or parked."""
    reveal_url: str
    edit_url: str
    replay_url: str
    """The dry run; empty where nothing can be done."""
    purge_url: str
    problem: str
    """Why what was asked for was not done; empty where nothing is wrong."""


@dataclass(frozen=True, kw_only=True)
class DiffLine:
    """A line of a difference."""

    kind: Literal["added", "removed", "same", "place"]
    text: str


@dataclass(frozen=True, kw_only=True)
class EditPage:
    """An edited letter before it is sent; edit.html.

    Posting `payload` and `step` = `send` to `edit_url` sends it; with `step` = `check` this page
    comes again.
    """

    row: LetterRow
    difference: tuple[DiffLine, ...]
    payload: str
    """The edited payload."""
    goes_to: str
    """The topic; empty where it cannot be sent as it is."""
    problem: str
    """Why it cannot; empty where it can."""
    edit_url: str
    back_url: str
