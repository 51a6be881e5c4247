"""Run the checks and the tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from deploy.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

CHECKS: Final = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("basedpyright",),
)


def check(pytest_arguments: Sequence[str], console: Console) -> int:
    """Return the exit code of everything, or of pytest alone when it is given arguments.

    Every check runs, whatever the others say; pytest has the last word.
    """
    failed = [
        " ".join(command)
        for command in (() if pytest_arguments else CHECKS)
        if _run(command, console)
    ]
    if failed:
        console.print(f"failed: {', '.join(failed)}")
    return _run(("pytest", *pytest_arguments), console) or min(len(failed), 1)


def _run(command: Sequence[str], console: Console) -> int:
    console.print(f"$ {' '.join(command)}", markup=False)
    before = signal.getsignal(signal.SIGINT)
    # Ctrl-C reaches the tool too, and the tool says what that means.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.call([sys.executable, "-m", *command], cwd=ROOT)  # noqa: S603  # the tools are ours
    finally:
        signal.signal(signal.SIGINT, before)
