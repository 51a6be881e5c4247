"""Pieces of rows, as the model derives them from facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schema.postgres.ids import derive_id
from tests.integration.workers.order.facts import Data, Fact, SessionTold, Version, moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def keys(clerk_id: str) -> Data:
    """Return the two keys of a row that stands for something of Clerk's."""
    return {"id": derive_id(clerk_id), "clerk_id": clerk_id}


def columns(version: Version) -> Data:
    """Return the version as the three columns that most tables have."""
    names = ("version", "version_timestamp", "version_event_id")
    at, timestamp, event_id = version
    return dict(zip(names, (at, max(timestamp, 0), event_id.decode()), strict=True))


def ended(deletion: Fact) -> Data:
    """Return what a deletion says of a user, erased or held."""
    _, at, event_id = deletion.version
    ended = {"status": "deleted", "deleted_at": moment(at)}
    return ended | {"deletion_event_id": event_id.decode()}


def first_activity(told: list[SessionTold]) -> Data:
    """Return where a session was first active, and which event says so."""
    known = [(fact.version[0], fact.version[2], fact.activity) for fact in told if fact.activity]
    version, event_id, activity = min(known, key=lambda each: each[:2], default=(None, b"", {}))
    place = {"device": None, "ip_address": None} | (activity or {})
    return place | {
        "activity_version": version,
        "activity_event_id": event_id.decode() if version is not None else None,
    }


def latest(times: Iterable[datetime | None]) -> datetime | None:
    """Return the latest of those times that there are."""
    return max((time for time in times if time is not None), default=None)


def strongest(evidence: set[str]) -> str | None:
    """Return what outweighs the rest of the evidence of a sign-up."""
    return next((each for each in ("invite", "admin", "clerk") if each in evidence), None)


def text(time: datetime | None) -> str | None:
    """Return a time as user_data has it."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


def login(session: Data) -> Data:
    """Return an entry of login_history."""
    login = {"timestamp": text(session["created_at"]), "success": True}
    login |= {"device": session["device"], "ip": session["ip_address"]}
    return {key: value for key, value in login.items() if value is not None}


def changes(names: list[Data]) -> list[Data]:
    """Return an entry of name_history for each row whose name differs from the one before."""
    changes: list[Data] = []
    for row in names:
        name = {"first_name": row["first_name"], "last_name": row["last_name"]}
        if not changes or name != {key: changes[-1][key] for key in name}:
            changes.append(name | {"timestamp": text(moment(row["version"]))})
    return changes
