"""Ask the person; where nobody is there, say which option or variable answers."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Protocol

from rich.prompt import Confirm, Prompt

from deploy.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


class NobodyError(OperatorError):
    """Nobody is there to answer; the message says what answers instead."""


class Person(Protocol):
    """Who is walked through it. Methods raise NobodyError where nobody is there."""

    def ask(self, question: str, *, instead: str) -> str:
        """Return an answer; `instead` is what to set or say where nobody can be asked."""
        ...

    def ask_secret(self, question: str, *, instead: str) -> str:
        """Return an answer that is not shown."""
        ...

    def agrees(self, question: str, *, instead: str) -> bool:
        """Return whether they say yes; just Enter is no."""
        ...


class Terminal:
    """Somebody at a terminal, or nobody."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def ask(self, question: str, *, instead: str) -> str:
        """Return a line of theirs."""
        with _somebody(question, instead):
            return Prompt.ask(question, console=self._console).strip()

    def ask_secret(self, question: str, *, instead: str) -> str:
        """Return a line of theirs that the terminal does not show."""
        with _somebody(question, instead):
            return Prompt.ask(question, console=self._console, password=True).strip()

    def agrees(self, question: str, *, instead: str) -> bool:
        """Return whether they say y."""
        with _somebody(question, instead):
            return Confirm.ask(question, console=self._console, default=False)


@contextlib.contextmanager
def _somebody(question: str, instead: str) -> Iterator[None]:
    if not sys.stdin.isatty():
        raise NobodyError(f"{question}: nobody is here to answer: {instead}.")
    try:
        yield
    except EOFError:  # Ctrl-D, or a terminal that is gone
        raise NobodyError(f"\n{question}: nobody has answered: {instead}.") from None
