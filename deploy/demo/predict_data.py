"""Predict what is derived of a user: sign-ins, names, first and last times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.demo.values import Row, to_text, to_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from deploy.demo.values import Rows
    from deploy.demo.webhook import Webhook

HISTORY: Final = 50
"""So many entries a history has at most."""


def predict_user_data(
    user: Row, history: Sequence[Webhook], *, sessions: Rows, invitations: Rows
) -> Row:
    """Return key -> value of a user who is not erased, from their row and what is theirs."""
    own = [
        row for row in sessions.values() if row["user_id"] == user["id"] and not row["impersonated"]
    ]
    data = {
        "session_count": len(own),
        "login_history": [_login(row) for row in _newest_first(own)][:HISTORY],
        "name_history": _names(history)[:HISTORY],
        "last_active": _latest([user["last_active_at"], *(one["last_active_at"] for one in own)]),
        "last_clerk_sync": _latest([user["last_event_at"]]),
        "signup_date": _latest([user["created_at"]]),
        "signup_source": _signup_source(user, invitations),
    }
    return {key: value for key, value in data.items() if value is not None}


def _newest_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)


def _login(session: Row) -> dict[str, Any]:
    login = {
        "timestamp": to_text(session["created_at"]),
        "device": session["device"],
        "ip": session["ip_address"],
        "success": True,
    }
    return {name: value for name, value in login.items() if value is not None}


def _names(history: Sequence[Webhook]) -> list[dict[str, Any]]:
    """Return the names in the order of versions, each once while it lasted, newest first."""
    told = [(each, each.snapshot) for each in history if each.snapshot]
    told.sort(key=lambda one: (one[1].updated_at, one[0].told_at, one[0].event_id))
    by_version = {user.updated_at: (user.person.first_name, user.last_name) for _, user in told}
    names: list[dict[str, Any]] = []
    before: object = None
    for version, name in by_version.items():
        if name != before:
            first_name, last_name = before = name
            timestamp = to_text(to_time(version))
            names.append({"first_name": first_name, "last_name": last_name, "timestamp": timestamp})
    return names[::-1]


def _latest(times: Iterable[datetime | None]) -> str | None:
    known = [moment for moment in times if moment is not None]
    return to_text(max(known)) if known else None


def _signup_source(user: Row, invitations: Rows) -> str | None:
    if user["created_at"] is None:
        return None
    invited = [row for row in invitations.values() if row["user_id"] == user["id"]]
    if any(row["created_at"] <= user["created_at"] for row in invited):
        return "invite"
    source: str = user["signup_source"]
    return source
