"""Judge what a look at Clerk has mended: every row as if no webhook had ever been lost. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.demo.finding import Finding, compare
from deploy.demo.judge_changes import find_untold
from deploy.demo.predict import predict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.demo.collect import Kept
    from deploy.demo.plan import Plan
    from deploy.demo.unheard import Unheard
    from deploy.demo.values import Row, Rows, Tables

DRIFT: Final = {"missing": 1, "stale": 1, "deleted_upstream": 1}
"""What is to be found of users: a sign-up, a change and a deletion that nobody told."""

OF_THE_LOOK: Final = ("version_timestamp", "version_event_id", "last_event_at", "last_clerk_sync")
"""Columns that say which event it was, or when somebody looked."""

OF_THE_END: Final = ("version", "deleted_at", "deletion_event_id")
"""Of somebody deleted: when that was found out."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What the look at Clerk brought, and all that is there after it."""

    backfilled: int
    """Users whose snapshots the backfill published."""
    drift: Mapping[str, int]
    """What the reconciliation found of users, by its kind."""
    tables: Tables
    changes: Sequence[Kept]


def a_look_at_clerk_finds(plan: Plan, unheard: Unheard, looked: Looked) -> Finding:
    """Judge whether the tables, and what others were told, are as Clerk has it."""
    tables = predict((*plan.webhooks, *unheard.before, *unheard.lost))
    rows = sum(map(len, tables.values()))
    differences = [
        f"{table}: {difference}"
        for table, expected in tables.items()
        for difference in compare(_judged(expected), _judged(looked.tables[table]))
    ]
    differences += find_untold(tables["users"], looked.changes)
    differences += [
        f"{looked.drift.get(kind, 0)} found {kind}, not {count}"
        for kind, count in DRIFT.items()
        if looked.drift.get(kind, 0) != count
    ]
    found = ", ".join(f"{looked.drift.get(kind, 0)} {_words(kind)}" for kind in DRIFT)
    return Finding(
        promise="What webhooks lost, a look at Clerk finds",
        expected=f"{len(unheard.before)} users from before, {len(unheard.lost)} lost webhooks: "
        f"{rows} rows as at Clerk",
        found=f"{looked.backfilled} users backfilled; {found}; {len(differences) or 'no'} wrong",
        differences=differences,
    )


def _judged(rows: Rows) -> dict[str, Row]:
    return {key: _without(row, _unjudged(row)) for key, row in rows.items()}


def _unjudged(row: Row) -> tuple[str, ...]:
    return (*OF_THE_LOOK, *(OF_THE_END if row.get("status") == "deleted" else ()))


def _without(row: Row, names: Sequence[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _words(kind: str) -> str:
    return kind.replace("_", " ")
