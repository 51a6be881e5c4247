"""Show the demonstration: a moving picture on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from collections import deque
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol, Self

from rich import box
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.terminal import is_live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from deploy.demo.board import Board
    from deploy.demo.finding import Finding

NOTES: Final = 6
"""So many of the latest stay in sight."""
LINE_EVERY_S: Final = 1.0
MOST_DIFFERENCES: Final = 5
"""So many are shown for a promise that was broken."""
_ARROW: Final = "▶"


class View(AbstractContextManager["View"], Protocol):
    """Where the demonstration is seen while it runs."""

    def note(self, text: str) -> None:
        """Say that something happened, now."""

    def refresh(self) -> None:
        """Show what the board says by now."""


def open_view(board: Board, console: Console) -> View:
    """Return the view that suits where the output goes."""
    return LiveView(board, console) if is_live() else PlainView(board, console)


class PlainView:
    """Lines, one for each event and one a second for the figures."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._begin = time.monotonic()
        self._next_line = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._next_line = 0.0
        self.refresh()

    def note(self, text: str) -> None:
        """Write it."""
        self._console.print(f"{self._elapsed():5.1f} s  {text}", markup=False)

    def refresh(self) -> None:
        """Write the figures, unless they were written a moment ago."""
        if self._elapsed() >= self._next_line:
            self._next_line = self._elapsed() + LINE_EVERY_S
            stations = "; ".join(f"{name} {', '.join(said)}" for name, said in tell(self._board))
            self.note(f"{self._board.sent} of {self._board.planned} sent; {stations}")

    def _elapsed(self) -> float:
        return time.monotonic() - self._begin


class LiveView:
    """The walk as a row of stations with their figures, what was sent, and the latest events."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._begin = time.monotonic()
        self._notes = deque[str](maxlen=NOTES)
        self._live = Live(self._picture(), console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.refresh()
        self._live.stop()

    def note(self, text: str) -> None:
        """Add it below the picture."""
        self._notes.append(f"{time.monotonic() - self._begin:5.1f} s  {text}")
        self.refresh()

    def refresh(self) -> None:
        """Draw the picture anew."""
        self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        board = self._board
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            "webhooks",
            ProgressBar(total=board.planned, completed=board.sent, width=40),
            f"{board.sent} of {board.planned}",
        )
        return Group("", self._walk(), "", bar, "", *(Text(note) for note in self._notes))

    def _walk(self) -> Table:
        stations = tell(self._board)
        width = min(20, (self._console.width - len(stations) + 1) // len(stations))
        walk = Table.grid()
        row: list[Panel | Text] = []
        for name, said in stations:
            sick = name == "worker" and self._board.worker != "running"
            row.append(
                Panel(
                    "\n".join(said),
                    title=name,
                    width=width,
                    height=5,
                    padding=0,
                    border_style="red" if sick else "",
                )
            )
            row.append(Text(f"\n\n{_ARROW}"))
        walk.add_row(*row[:-1])
        return walk


def tell(board: Board) -> list[tuple[str, list[str]]]:
    """Return what each station of the walk has to say, three things at most."""
    accepted, aside = board.taken["accepted"], board.taken["quarantined"]
    return [
        ("ingest", [f"{accepted} kept", f"{aside} aside", f"{_refused(board)} refused"]),
        (
            "Kafka",
            [f"{board.records} records", f"{board.waiting} waiting", f"{board.letters} dead"],
        ),
        (
            "worker",
            [
                board.worker,
                f"{board.outcomes.total()} events",
                f"in life {board.life}",
            ],
        ),
        (
            "PostgreSQL",
            [f"{board.users} users", f"{board.deleted} deleted", f"{board.events} events"],
        ),
        (
            "API, relay",
            [f"{board.api_requests} answers", f"{board.told} told", f"{board.untold} to tell"],
        ),
    ]


def _refused(board: Board) -> int:
    return board.taken.total() - board.taken["accepted"] - board.taken["quarantined"]


def print_findings(
    findings: Sequence[Finding], console: Console, *, seconds: float, seed: int
) -> None:
    """Print every promise with what was expected and found, and one sentence at the end."""
    console.print()
    if is_live():
        console.print(_table(findings))
    else:
        for each in findings:
            console.print(
                f"{_mark(each)} {each.promise}: expected {each.expected}; found {each.found}",
                markup=False,
            )
    for each in findings:
        for difference in each.differences[:MOST_DIFFERENCES]:
            console.print(f"  {each.promise}: {difference}", markup=False)
    broken = sum(not each.held for each in findings)
    held = f"{len(findings) - broken} of {len(findings)} promises held in {seconds:.1f} s"
    again = f" Look closer: deploy/run demo --seed {seed} --keep." if broken else ""
    console.print(f"\n{held}.{again} Next: deploy/run up, and the README's guarantees.")


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(
        "promise", "expected", "found", "", box=box.SIMPLE, show_lines=True, pad_edge=False
    )
    for each in findings:
        table.add_row(
            each.promise,
            each.expected,
            each.found,
            Text(_mark(each), style="green" if each.held else "bold red"),
        )
    return table


def _mark(finding: Finding) -> str:
    return "✓" if finding.held else "✗"
