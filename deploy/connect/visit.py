"""What the steps of a visit share: the person, what is known by now, how it is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.connect.ask import Person

KEY: Final = "CLERK_SECRET_KEY"
SECRET: Final = "CLERK_WEBHOOK_SIGNING_SECRET"  # noqa: S105 - the variable's name


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How it is to go."""

    url: str | None
    """Where Clerk is to send webhooks; None to be asked."""
    wait_s: float
    """For how long Clerk's test event is waited for."""
    yes: bool
    """Whether the backfill needs no asking."""


class StepError(OperatorError):
    """A step is not done; the message says why, and what to do before it is run again."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One walk through the steps."""

    person: Person
    console: Console
    wishes: Wishes

    def begin(self, number: int, title: str) -> None:
        """Say which step begins."""
        self.console.print(f"\n[bold]{number}. {title}[/]")

    def done(self, what: str) -> None:
        """Say that something is as it should be."""
        self.console.print("  [green]✓[/] ", end="")
        self.tell(what, indent="")

    def tell(self, what: str, *, indent: str = "    ") -> None:
        """Say something, as it is."""
        self.console.print(f"{indent}{what}", markup=False, highlight=False)


def remember(name: str, value: str) -> None:
    """Let what comes after in this process, such as the backfill, read what was typed in."""
    os.environ[name] = value
