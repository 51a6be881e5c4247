"""A child process that is started, watched, stopped, and never left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.stack.errors import StackError

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.03

BARE_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""For programs that variables meant for others would lead astray, such as PGDATA."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user and group of the operating system, by number."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run and how to treat it."""

    name: str
    """How messages call it: "Kafka", "ingest"."""

    command: Sequence[str | Path]
    """The executable and its arguments."""

    log: Path
    """Both output streams are appended to this file."""

    environment: Mapping[str, str] | None = None
    """The whole environment; None inherits ours."""

    directory: Path | None = None
    """Where it runs; None inherits ours."""

    account: Account | None = None
    """Who it runs as; only root may say so."""

    ready: Callable[[], bool] | None = None
    """Whether it serves; an OSError counts as not yet. Called until true."""

    deadline: float = 60.0
    """Seconds it may take until it is ready."""

    stop_signal: signal.Signals = signal.SIGTERM
    """How it is asked to stop."""

    grace: float = 15.0
    """Seconds between that signal and SIGKILL."""


class Process:
    """One run of a program, in a session of its own, behind a guard (see `guard.py`).

    A terminal's Ctrl-C therefore reaches only us, and when we die, however that happens, the
    guard stops the program. Methods block; they may be called from any thread.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._guard: subprocess.Popen[bytes] | None = None
        self._alive = -1
        self._pid = 0
        self._log_start = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the program itself, not of its guard."""
        return self._pid

    def start(self) -> None:
        """Return when the program is ready.

        Raises StackError, with nothing left running, when it cannot be executed, ends early or
        is not ready within the deadline.
        """
        try:
            self._spawn()
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the program runs."""
        return None if self._guard is None else self._guard.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise TimeoutError after that many seconds."""
        if self._guard is None:
            return 0
        try:
            return self._guard.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.program.name} is still running") from None

    def require_ended(self) -> None:
        """Raise StackError unless the program has ended, or does so within a second."""
        try:
            self.wait(1)
        except TimeoutError:
            raise StackError(f"{self.program.name} is running already. Stop it first.") from None
        self._let_go()

    def stop(self) -> int:
        """Ask the program to stop, insist after its grace, and return the exit code."""
        self._let_go()
        try:
            return self.wait(self.program.grace + 5)
        except TimeoutError:
            self.kill()
            return self.wait()

    def kill(self) -> None:
        """End the program at once, as a crash would, and wait until it is gone."""
        if self._pid and self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
        self._let_go()
        self.wait()

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines that this run has logged."""
        with contextlib.suppress(OSError), self.program.log.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - 200 * lines))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    def _spawn(self) -> None:
        ours, self._alive = os.pipe()
        heard, report = os.pipe()
        self.program.log.parent.mkdir(parents=True, exist_ok=True)
        with self.program.log.open("ab") as log:
            self._log_start = log.tell()
            self._guard = subprocess.Popen(  # noqa: S603 - commands are ours
                self._guarded(alive=ours, report=report),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.program.directory,
                env=self.program.environment,
                pass_fds=(ours, report),
                start_new_session=True,
            )
        os.close(ours)
        os.close(report)
        with os.fdopen(heard, "rb") as reported:
            self._hear(reported.read().decode())

    def _guarded(self, *, alive: int, report: int) -> list[str]:
        program = self.program
        options = {
            "--alive": alive,
            "--report": report,
            "--signal": int(program.stop_signal),
            "--grace": program.grace,
        }
        if program.account:
            options |= {"--uid": program.account.uid, "--gid": program.account.gid}
        arguments = [f"{name}={value}" for name, value in options.items()]
        command = [str(word) for word in program.command]
        return [sys.executable, "-I", "-S", str(GUARD), *arguments, "--", *command]

    def _hear(self, report: str) -> None:
        """Take over what the guard said: a pid, and an error when the program did not start."""
        for line in report.splitlines():
            kind, _, value = line.partition(" ")
            if kind == "error":
                raise StackError(f"{self.program.name} cannot be started: {value}.")
            self._pid = int(value)
        if not self._pid:
            raise StackError(f"{self.program.name} cannot be guarded.\n{self.log_tail()}")

    def _wait_until_ready(self) -> None:
        ready = self.program.ready
        give_up = time.monotonic() + self.program.deadline
        while ready is not None:
            with contextlib.suppress(OSError):
                if ready():
                    return
            if (code := self.poll()) is not None:
                raise self._failed(f"ended with {describe_exit(code)} before it was ready")
            if time.monotonic() >= give_up:
                raise self._failed(f"was not ready within {self.program.deadline:.0f} s")
            time.sleep(POLL_SECONDS)

    def _failed(self, what: str) -> StackError:
        program = self.program
        return StackError(f"{program.name} {what}. Its log, {program.log}:\n{self.log_tail()}")

    def _let_go(self) -> None:
        """Close our end of the pipe, which the guard takes for the wish to stop."""
        descriptor, self._alive = self._alive, -1
        if descriptor >= 0:
            os.close(descriptor)


def describe_exit(code: int) -> str:
    """Return an exit code in words: "exit code 1", "SIGKILL"."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
