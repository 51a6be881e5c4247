"""Present rows as view models. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from deploy.desk.models.frame import Fact
from deploy.desk.models.letters import LetterRow
from deploy.desk.models.operations import OperationRow
from deploy.letters.tell import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTES: Final = {"reveal": "reveal", "resume": "resume"}
"""What an operation is called that took no letters, by what its selection says."""


def event_url(event_id: str | None) -> str:
    """Return the page of an event; empty for none."""
    return f"/events/{quote(event_id, safe='')}" if event_id else ""


def user_url(user: str | None) -> str:
    """Return the search for a user's events; empty for none."""
    return f"/events?user={quote(user, safe='')}" if user else ""


def letter_url(row: Mapping[str, Any]) -> str:
    """Return the page of a letter."""
    return f"/letters/{quote(row['topic'], safe='')}/{row['partition']}/{row['offset']}"


def present_letter(row: Mapping[str, Any]) -> LetterRow:
    """Return a letter as a list shows it."""
    source = row["source_topic"], row["source_partition"], row["source_offset"]
    return LetterRow(
        place=f"{row['topic']}/{row['partition']}/{row['offset']}",
        dead_at=row["dead_at"],
        state=row["state"],
        error_class=one_line(row["error_class"]),
        error_code=one_line(row["error_code"]),
        reason=one_line(row["reason"]),
        type=one_line(row["type"]),
        user=one_line(row["clerk_user_id"]),
        event_id=one_line(row["event_id"]),
        source="/".join("?" if part is None else str(part) for part in source) if source[0] else "",
        attempts=row["attempts"],
        replays=row["replays"],
        edited=row["edited"],
        url=letter_url(row),
        event_url=event_url(row["event_id"]),
    )


def present_operation(row: Mapping[str, Any]) -> OperationRow:
    """Return an operation as a list shows it."""
    asked = msgspec.json.decode(row["selection"])
    if not isinstance(asked, dict):
        asked = {}
    notes = [name for key, name in _NOTES.items() if key in asked]
    state = "finished" if row["finished_at"] else "running" if row["running"] else "broken"
    return OperationRow(
        id=str(row["id"]),
        action=notes[0] if notes else row["action"],
        operator=one_line(row["operator"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        planned=row["planned"],
        done=row["done"],
        state=state,
        asked=tuple(present_asked(asked)),
        url=f"/operations/{row['id']}",
    )


def present_asked(asked: Mapping[str, Any]) -> list[Fact]:
    """Return what an operation was asked for, by name."""
    return [
        Fact(
            name=one_line(name).replace("_", " "),
            value=one_line(
                ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            ),
        )
        for name, value in asked.items()
        if value is not None
    ]
