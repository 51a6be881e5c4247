"""Show how a backfill goes: a bar with rate and time left; without a terminal, a line at times."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from deploy.terminal import is_live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from schema.clerk.client import Clerk

_TELL_EVERY_S: Final = 10.0
"""How often a line is written where no bar can be drawn."""


@dataclass
class Course:
    """How one walk goes on."""

    name: str
    total: int
    done: int
    _bar: Progress
    _task: TaskID
    _console: Console
    _clerk: Clerk | None
    _began_s: float = field(default_factory=time.monotonic)
    _here: int = 0
    _told_s: float = field(default_factory=time.monotonic)

    def advance(self, things: int) -> None:
        """Say that so many more are through."""
        self.done += things
        self._here += things
        # Clerk has more by now, or a break has made some count twice.
        self.total = max(self.total, self.done)
        per_second = f"{self.per_second:.0f}/s"
        self._bar.update(
            self._task,
            completed=self.done,
            total=self.total,
            rate=per_second,
            asked=_tell_asked(self._clerk),
        )
        if not is_live() and time.monotonic() - self._told_s > _TELL_EVERY_S:
            self._told_s = time.monotonic()
            left_s = (self.total - self.done) / max(self.per_second, 0.001)
            parts = [f"{self.name}: {self.done} of {self.total}", per_second]
            parts += [f"{left_s:.0f} s left", _tell_asked(self._clerk)]
            self._console.print(", ".join(filter(None, parts)))

    def left(self, things: int) -> None:
        """Say how many are still to come."""
        self.total = max(self.total, self.done + things)
        self.advance(self.total - things - self.done)

    @property
    def per_second(self) -> float:
        """How many get through in a second."""
        return self._here / max(time.monotonic() - self._began_s, 0.001)


@contextlib.contextmanager
def showing(
    name: str, console: Console, *, total: int = 0, done: int = 0, clerk: Clerk | None = None
) -> Iterator[Course]:
    """Show a bar while the context lasts; where there is no terminal, a line now and then."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[asked]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not is_live()) as bar:
        task = bar.add_task(name, total=total, completed=done, rate="", asked="")
        yield Course(name, total, done, bar, task, console, clerk)


def _tell_asked(clerk: Clerk | None) -> str:
    if clerk is None:
        return ""
    waited = f", waited {clerk.waited_s:.0f} s for the limit" if clerk.waited_s >= 1 else ""
    return f"{clerk.requests} requests{waited}"
