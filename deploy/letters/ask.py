"""Ask the operator, unless the answer was given with the command."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console
from rich.prompt import Confirm

from deploy.errors import OperatorError

UNASKED: Final = 100
"""What concerns no more letters than that is done without asking."""


def agree(question: str, *, yes: bool) -> bool:
    """Return whether the operator agrees. Raises OperatorError where nobody is there to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise OperatorError(f"{question} Nobody is here to answer: say --yes.")
    try:
        return Confirm.ask(question, console=Console(stderr=True), default=False)
    except EOFError:  # Ctrl-D, or a terminal that is gone
        raise OperatorError(f"\n{question} Nobody has answered: say --yes.") from None
