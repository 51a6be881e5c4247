"""Our own processes, ingest, worker, relay and api, as children of the console."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

from deploy.environment import ROOT
from deploy.stack import Process, Program, StackError
from deploy.stack.ports import LOOPBACK
from deploy.stack.process import describe_exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

READY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Service:
    """One of our processes: `python -m <module>`, with probes and metrics on a port."""

    name: str
    module: str
    port: int
    environment: Mapping[str, str]
    """All of it."""
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def program(self) -> Program:
        """Return how to run it; readiness is waited for by `Services`, for all at once."""
        return Program(
            name=self.name,
            # -P: a directory called `ingest` where the user happens to be is not ours.
            command=[sys.executable, "-P", "-m", self.module],
            environment={**self.environment, "PYTHONPATH": _with_root(self.environment)},
            log=self.log,
        )

    def is_ready(self) -> bool:
        """Tell whether it says so itself."""
        connection = HTTPConnection(LOOPBACK, self.port, timeout=3)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class Services:
    """Processes that run side by side; when one ends by itself, all of it has failed."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.named = {service.name: service for service in services}
        self._processes: dict[str, Process] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start all, and return when all are ready; stop them at the end, the last one first.

        Raises StackError, with nothing left running.
        """
        with ExitStack() as stack:
            for name in self.named:
                stack.callback(self._stop, name)
                self._spawn(name)
            self._wait_until_ready(list(self.named))
            yield

    def kill(self, name: str) -> None:
        """End one at once, as a crash would."""
        self._processes.pop(name).kill()

    def start(self, name: str) -> None:
        """Start one that was killed, and return when it is ready. Raises StackError."""
        self._spawn(name)
        self._wait_until_ready([name])

    def check(self) -> None:
        """Raise StackError when one has ended by itself; it names it and quotes its log."""
        for name, process in list(self._processes.items()):
            if (code := process.poll()) is not None:
                raise StackError(
                    f"{name} has ended with {describe_exit(code)}. Its log, "
                    f"{process.program.log}:\n{process.log_tail()}"
                )

    def _spawn(self, name: str) -> None:
        process = self._processes[name] = Process(self.named[name].program())
        process.start()

    def _stop(self, name: str) -> None:
        if process := self._processes.pop(name, None):
            process.stop()

    def _wait_until_ready(self, names: Sequence[str]) -> None:
        give_up = time.monotonic() + READY_WITHIN_S
        for name in names:
            while not self.named[name].is_ready():
                self.check()
                if time.monotonic() >= give_up:
                    raise StackError(
                        f"{name} was not ready within {READY_WITHIN_S:.0f} s. Its log, "
                        f"{self.named[name].log}:\n{self._processes[name].log_tail()}"
                    )
                time.sleep(POLL_S)


def _with_root(environment: Mapping[str, str]) -> str:
    inherited = environment.get("PYTHONPATH")
    return os.pathsep.join([str(ROOT), inherited] if inherited else [str(ROOT)])
