"""Run the checks and the tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from deploy.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    Command = Sequence[str]

CHECKS: Final = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("basedpyright",),
)
"""They run side by side."""

CHAOS: Final = "tests/chaos"
WORKERS: Final = (
    *("-n", "logical", "--maxprocesses", "4"),  # each has a Kafka and a PostgreSQL of its own
    *("--dist", "loadfile", "--no-loadscope-reorder"),  # tests/conftest.py has an order
)

TESTS: Final = (
    ("pytest", *WORKERS, f"--ignore={CHAOS}"),
    ("pytest", *WORKERS, CHAOS),  # not beside the others: sessions there run out in seconds
)
"""They run one after the other."""

INTERRUPTED: Final = 2
"""pytest's exit code after Ctrl-C."""


def check(pytest_arguments: Command, console: Console) -> int:
    """Return the exit code of everything, or of pytest alone when it is given arguments.

    Every check and every test runs, whatever the others say; pytest has the last word.
    """
    with _interrupt_left_to_tools():
        if pytest_arguments:
            return _run(("pytest", *pytest_arguments), console)
        failed = _run_checks(console)
        return _run_tests(console) or min(failed, 1)


def _run_checks(console: Console) -> int:
    """Return how many fail; print what each says in one piece."""
    failed = []
    with ThreadPoolExecutor(len(CHECKS)) as threads:
        for command, ended in zip(CHECKS, threads.map(_listen, CHECKS), strict=True):
            _announce(command, console)
            console.out(ended.stdout, end="", highlight=False)
            if ended.returncode:
                failed.append(" ".join(command))
    if failed:
        console.print(f"failed: {', '.join(failed)}")
    return len(failed)


def _run_tests(console: Console) -> int:
    """Return the first exit code that is not 0."""
    codes = []
    for command in TESTS:
        codes.append(_run(command, console))
        if codes[-1] == INTERRUPTED:
            break
    return next(filter(None, codes), 0)


def _listen(command: Command) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # the tools are ours
        _tool(command),
        cwd=ROOT,
        env=_environment(),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _run(command: Command, console: Console) -> int:
    _announce(command, console)
    return subprocess.call(_tool(command), cwd=ROOT, env=_environment())  # noqa: S603  # the tools are ours


def _announce(command: Command, console: Console) -> None:
    console.print(f"$ {' '.join(command)}", markup=False)


def _tool(command: Command) -> list[str]:
    return [sys.executable, "-m", *command]


def _environment() -> dict[str, str]:
    """Return ours, but have Python keep what it compiles: tests start it hundreds of times."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextlib.contextmanager
def _interrupt_left_to_tools() -> Iterator[None]:
    """Have Ctrl-C reach the tools only: it does reach them, and they say what it means."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
