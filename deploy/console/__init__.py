"""The console: every command of clerkwork, and nothing but the commands.

What a command needs is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import sys

from deploy.console import (  # noqa: F401 - they add their commands
    clerk,
    letters,
    people,
    processes,
    recovery,
    rights,
    upkeep,
    whole,
)
from deploy.console.groups import app
from deploy.errors import explain
from deploy.terminal import complain

__all__ = ["app", "main"]


def main() -> None:
    """Run the command that the arguments name; say what is wrong in words, with exit code 1."""
    try:
        app()
    except Exception as error:
        reason = explain(error)
        if reason is None:
            raise
        complain(reason)
        sys.exit(1)
