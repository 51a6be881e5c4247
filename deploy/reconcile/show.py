"""Show what a run has found: a table for people, a line of JSON for machines. Only ids."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rich.table import Table

from deploy.reconcile.drift import ADVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from deploy.reconcile.drift import Drift, Refusal, Report, Share

MOST_SHOWN: Final = 20
"""So many ids of each kind are shown."""


def show(report: Report, console: Console) -> None:
    """Tell people."""
    if report.drifts:
        table = Table("", "kind", "found", "mended", "left")
        for drift in report.drifts:
            numbers = map(str, (drift.found, drift.mended, drift.left))
            table.add_row(drift.resource, drift.kind, *numbers)
        console.print(table)
    for line in _explain(report):
        console.print(line, markup=False, highlight=False)


def show_json(report: Report, console: Console) -> None:
    """Tell machines: a line, with all ids."""
    told = asdict(report) | {"left": report.left, "exit_code": int(report.exit_code)}
    console.print(json.dumps(told), markup=False, highlight=False)


def _explain(report: Report) -> Iterator[str]:
    for drift in report.drifts:
        yield _list(drift)
    for kind, advice in ADVICE.items():
        if any(drift.kind == kind and drift.left for drift in report.drifts):
            yield f"{kind}: {advice}."
    yield from map(_refuse, report.refusals)
    if report.behind:
        yield (
            f"The workers have still to apply {report.behind} records: what differs may be on its"
            " way. Nothing was mended that was not applied; run this again once they have caught"
            " up."
        )
    for resource, number in report.unreadable.items():
        if number:
            yield f"{number} {resource} of Clerk's cannot be kept, and were not compared."
    for side, share in report.shares.items():
        yield _estimate(side, share)
    if report.mode != "full" and report.users_at_clerk not in {None, report.users_here}:
        yield (
            f"Clerk counts {report.users_at_clerk} users, here are {report.users_here}: where that"
            " stays so, a full run tells who."
        )
    yield _sum_up(report)


def _list(drift: Drift) -> str:
    shown = ", ".join(drift.ids[:MOST_SHOWN])
    number = drift.left or drift.found
    more = f" and {number - MOST_SHOWN} more" if number > MOST_SHOWN else ""
    held = f" ({drift.held} held back)" if drift.held else ""
    mended = ", mended" if drift.left == 0 else ""
    return f"{drift.resource} {drift.kind}{mended}{held}: {shown}{more}"


def _refuse(refusal: Refusal) -> str:
    return (
        f"Refused: Clerk does not name {refusal.candidates} {refusal.resource} that are here;"
        f" {refusal.confirmed} were looked up and are gone, and no more than {refusal.allowed} are"
        " deleted at once. If that is right: --force, or a higher --max-deletions."
    )


def _estimate(side: str, share: Share) -> str:
    whose = "Of the users whom Clerk has" if side == "clerk" else "Of the users here"
    low, high = share.low * share.of, share.high * share.of
    return (
        f"{whose}, {share.drifted} of {share.sampled} sampled differ: between {share.low:.2%} and"
        f" {share.high:.2%} do, of {share.of} that is {low:.0f} to {high:.0f} (95 %)."
    )


def _sum_up(report: Report) -> str:
    checked = ", ".join(f"{number} {resource}" for resource, number in report.checked.items())
    found = sum(drift.found for drift in report.drifts)
    mended = f", {found - report.left} mended" if report.repaired else ""
    return (
        f"{checked or 'nothing'} compared in {report.seconds:.1f} s: {found} differ{mended},"
        f" {report.left} left."
    )
