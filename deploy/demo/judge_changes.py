"""Judge what other services were told: the change topic, folded as a consumer would. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from deploy.demo.finding import Finding, compare
from deploy.demo.present import present

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.demo.collect import Evidence, Kept
    from deploy.demo.values import Rows

UNTOLD: Final = ("updated_at", "last_sign_in_at", "last_active_at", "deleted_at")
"""What the API presents, and what is nobody else's business, or no news."""
OF_THE_RECORD: Final = ("schema_version", "sequence", "version")
"""Which change it was; which of two snapshots with the same content was told of is up to chance."""


def every_change_is_told(users: Rows, evidence: Evidence) -> Finding:
    """Judge whether the records make the living users, in the order of their sequence."""
    living, gone = _living(users), _gone(users)
    state, _ = _fold(evidence.changes)
    forgotten = sum(told is None for told in state.values())
    return Finding(
        promise="Every change is told, in order",
        expected=f"user.changes makes {len(living)} users, {len(gone)} forgotten",
        found=f"{len(evidence.changes)} changes, {len(state) - forgotten} users,"
        f" {forgotten} forgotten",
        differences=find_untold(users, evidence.changes),
    )


def find_untold(users: Rows, changes: Sequence[Kept]) -> list[str]:
    """Say where the records, folded, are not the living users, or came out of their order."""
    state, disorder = _fold(changes)
    forgotten = {key for key, told in state.items() if told is None}
    found = {key: told for key, told in state.items() if told is not None}
    return [
        *compare(_living(users), found),
        *(f"nobody was told that {key} is gone" for key in sorted(_gone(users) - forgotten)),
        *disorder,
    ]


def _living(users: Rows) -> dict[str, dict[str, Any]]:
    return {
        key: _told(row) for key, row in users.items() if row["status"] not in ("pending", "deleted")
    }


def _gone(users: Rows) -> set[str]:
    return {key for key, row in users.items() if row["status"] == "deleted"}


def _told(row: dict[str, Any]) -> dict[str, Any]:
    shown = present(row)
    return {name: shown[name] for name in shown if name not in (*UNTOLD, *OF_THE_RECORD)}


def _fold(changes: Iterable[Kept]) -> tuple[dict[str, dict[str, Any] | None], list[str]]:
    """Return the latest state of each key, and what came out of its order or twice."""
    state: dict[str, dict[str, Any] | None] = {}
    latest: dict[str, int] = {}
    disorder: list[str] = []
    for change in changes:
        sequence = int(change.event_id)
        if sequence <= latest.get(change.key, 0):
            disorder.append(f"{change.key} was told {sequence} after {latest[change.key]}")
        latest[change.key] = sequence
        told = json.loads(change.value) if change.value else None
        state[change.key] = told and {
            name: value for name, value in told.items() if name not in OF_THE_RECORD
        }
    return state, disorder
