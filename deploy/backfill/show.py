"""Show how a backfill goes: a bar with rate and time left; without a terminal, a line at times."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
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
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from schema.clerk.client import Clerk

_TELL_EVERY_S: Final = 10.0
"""How often a line is written where no bar can be drawn."""


@dataclass(kw_only=True)
class Course:
    """How one walk goes on."""

    name: str
    total: int
    done: int
    console: Console
    bar: Progress
    task: TaskID
    clerk: Clerk | None = None
    """Who is asked, where anybody is."""
    clock: Callable[[], float] = time.monotonic
    """In seconds."""

    def __post_init__(self) -> None:
        self._here = 0
        self._began_s = self._told_s = self.clock()

    def advance(self, things: int) -> None:
        """Say that so many more are through."""
        self.done += things
        self._here += things
        # Clerk has more by now, or a break has made some count twice.
        self.total = max(self.total, self.done)
        self.bar.update(
            self.task,
            completed=self.done,
            total=self.total,
            rate=f"{self.per_second:.0f}/s",
            asked=_tell_asked(self.clerk),
        )
        if not is_live() and self.clock() - self._told_s > _TELL_EVERY_S:
            self._told_s = self.clock()
            self.console.print(self._spell())

    def left(self, things: int) -> None:
        """Say how many are still to come."""
        self.total = max(self.total, self.done + things)
        self.advance(self.total - things - self.done)

    @property
    def per_second(self) -> float:
        """How many get through in a second."""
        return self._here / max(self.clock() - self._began_s, 0.001)

    def _spell(self) -> str:
        left_s = (self.total - self.done) / max(self.per_second, 0.001)
        parts = [f"{self.name}: {self.done} of {self.total}", f"{self.per_second:.0f}/s"]
        parts += [f"{left_s:.0f} s left", _tell_asked(self.clerk)]
        return ", ".join(filter(None, parts))


@contextlib.contextmanager
def showing(
    name: str,
    console: Console,
    *,
    total: int = 0,
    done: int = 0,
    clerk: Clerk | None = None,
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
        yield Course(
            name=name,
            total=total,
            done=done,
            console=console,
            bar=bar,
            task=bar.add_task(name, total=total, completed=done, rate="", asked=""),
            clerk=clerk,
        )


def _tell_asked(clerk: Clerk | None) -> str:
    if clerk is None:
        return ""
    waited = f", waited {clerk.waited_s:.0f} s for the limit" if clerk.waited_s >= 1 else ""
    return f"{clerk.requests} requests{waited}"
