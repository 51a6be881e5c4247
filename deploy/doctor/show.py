"""Show what the doctor has found: a table for who watches, lines in a pipe, JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
from rich.table import Column, Table
from rich.text import Text

from deploy.doctor.verdict import Status
from deploy.letters.tell import one_line, write_line
from deploy.terminal import is_live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from deploy.doctor.examine import Finding

_STYLES: Final = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.WRONG: "bold red",
    Status.SKIPPED: "dim",
}


def show(findings: Sequence[Finding], *, as_json: bool, console: Console) -> None:
    """Print findings, and how many of each kind there are."""
    if as_json:
        write_line(console, msgspec.json.encode([_flat(each) for each in findings]).decode())
        return
    if is_live():
        console.print(_table(findings))
    else:
        for each in findings:
            write_line(console, "\t".join(one_line(value) for value in _flat(each).values()))
    console.print(summarise(findings), markup=False, soft_wrap=True)


def summarise(findings: Sequence[Finding]) -> str:
    """Return in a line how many of each kind there are."""
    counts = Counter(each.verdict.status for each in findings)
    return ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])


def _flat(finding: Finding) -> dict[str, str | None]:
    """Return what scripts rely on: these names, in this order; `fix` may be null."""
    verdict = finding.verdict
    return {
        "group": finding.group,
        "status": verdict.status.value,
        "check": finding.name,
        "found": verdict.found,
        "fix": verdict.fix,
    }


def _table(findings: Sequence[Finding]) -> Table:
    # Folded: of a long id, the end is needed too.
    found_column = Column("found", overflow="fold")
    table = Table("", "check", found_column, box=None, pad_edge=False)
    group = ""
    for each in findings:
        if each.group != group:
            group = each.group
            table.add_row("", Text(group, style="bold underline"), "")
        status, found = each.verdict.status, Text(one_line(each.verdict.found))
        if each.verdict.fix:
            found.append(f"\n→ {one_line(each.verdict.fix)}", style="bold")
        table.add_row(Text(status.value, style=_STYLES[status]), each.name, found)
    return table
