"""Tell what a rehearsal found: tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from deploy.rehearse.measure import MODES
from deploy.terminal import is_live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from deploy.rehearse.measure import Failure, Step
    from deploy.rehearse.run import Rehearsal

STOPS: Final = {
    "RowShareLock": "only who wants the same rows waits",
    "RowExclusiveLock": "only who wants the same rows waits",
    "ShareUpdateExclusiveLock": "vacuum and other migrations wait; readers and writers go on",
    "ShareLock": "writers wait; readers go on",
    "ShareRowExclusiveLock": "writers wait; readers go on",
    "ExclusiveLock": "writers wait; readers go on",
    "AccessExclusiveLock": "EVERYBODY WAITS, readers too",
}
"""Whom each lock keeps waiting until the migration has ended."""
_FOREIGN_KEY_VIOLATION: Final = "23503"


def print_rehearsal(rehearsal: Rehearsal, console: Console) -> int:
    """Print it, and return 1 when a revision failed."""
    for name in rehearsal.leftovers:
        console.print(f'A killed rehearsal has left a copy behind: DROP DATABASE "{name}";')
    if not rehearsal.steps and not rehearsal.failure:
        console.print(f"Nothing to rehearse: the database is at revision {rehearsal.at}.")
        return 0
    for difference in rehearsal.drift:
        console.print(f"The database is not what its revisions make: {difference}", markup=False)
    for each in rehearsal.samples:
        rows = f"{each.rows} of about {max(each.of_about, each.rows)} rows"
        console.print(f"{each.table}: {rows} copied", markup=False)
    _print_rows(_describe(rehearsal.steps), console)
    if rehearsal.failure:
        _print_failure(rehearsal.failure, console)
        return 1
    seconds = sum(step.seconds for step in rehearsal.steps)
    last = rehearsal.steps[-1].revision.id
    console.print(
        f"From revision {rehearsal.at} to {last} in {seconds:.3f} s on this copy, which is "
        "dropped. It is one transaction: every lock is held to its end."
    )
    return 0


def _describe(steps: Sequence[Step]) -> list[tuple[str, str, str]]:
    """Return what to say of each revision: which, what, and how much it matters."""
    worst = max((_strength(mode) for step in steps for mode in step.locks.values()), default=0)
    rows: list[tuple[str, str, str]] = []
    for step in steps:
        name = step.revision.id
        rows.append((name, f"{step.revision.title} ({step.revision.phase})", "bold"))
        rows.append((name, f"took {step.seconds:.3f} s", ""))
        strongest_first = sorted(step.locks.items(), key=lambda lock: -_strength(lock[1]))
        for table, mode in strongest_first:
            style = "bold red" if _strength(mode) == worst else ""
            rows.append((name, f"locks {table}: {mode} ({STOPS[mode]})", style))
        if not step.locks:
            rows.append((name, "locks no table that was there before", ""))
        rows += [(name, text, "") for text in _count(step)]
    return rows


def _count(step: Step) -> list[str]:
    return [
        f"rows of {table}: {step.before.get(table, 'no table')} before, "
        f"{step.after.get(table, 'no table')} after"
        for table in sorted(step.before.keys() | step.after.keys())
    ]


def _print_rows(rows: Sequence[tuple[str, str, str]], console: Console) -> None:
    if not is_live():
        for name, text, _ in rows:
            console.print(f"{name}: {text}", markup=False)
        return
    table = Table("revision", "what it did", box=box.SIMPLE, pad_edge=False)
    told = ""
    for name, text, style in rows:
        table.add_row("" if name == told else name, Text(text, style=style))
        told = name
    console.print(table)


def _print_failure(failure: Failure, console: Console) -> None:
    console.print(
        f"{failure.revision.id}: FAILED with SQLSTATE {failure.sqlstate}: {failure.reason}\n"
        f"  in: {failure.statement}",
        markup=False,
    )
    if failure.sqlstate == _FOREIGN_KEY_VIOLATION:
        console.print(
            "The rows that are referred to may only be missing from the sample: try a larger one."
        )
    console.print("The copy is dropped; the database is as it was.")


def _strength(mode: str) -> int:
    return MODES.index(mode)
