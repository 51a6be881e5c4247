"""What a development clerkwork keeps between runs, and where `send` and `token` find it."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from deploy.environment import ROOT
from deploy.errors import OperatorError
from deploy.sign import new_signing_secret
from deploy.tokens import new_private_key

if TYPE_CHECKING:
    from collections.abc import Callable

BESIDE_THE_PROJECT: Final = ROOT / ".clerkwork"


@dataclass(frozen=True, kw_only=True)
class Running:
    """Where a running `up` listens."""

    pid: int
    ingest: str
    """URL that takes webhooks."""
    api: str
    """URL below which the API lies."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """A directory for the signing secret, the key of development tokens and the addresses.

    Files are readable by their owner only. Methods raise OperatorError when it cannot be written.
    """

    directory: Path = BESIDE_THE_PROJECT

    def signing_secret(self) -> str:
        """Return the secret that signs webhooks, made the first time."""
        return self._keep("signing-secret", new_signing_secret)

    def private_key(self) -> str:
        """Return the PEM that signs development tokens, made the first time."""
        return self._keep("development.pem", new_private_key)

    def remember(self, running: Running) -> None:
        """Note where we listen."""
        self._write("running.json", json.dumps(asdict(running)))

    def forget(self) -> None:
        """Note that we listen no more; what another has noted since stays."""
        running = self.recall()
        if running and running.pid == os.getpid():
            self._path("running.json").unlink(missing_ok=True)

    def recall(self) -> Running | None:
        """Return where a clerkwork listens, None where none runs."""
        try:
            running = Running(**json.loads(self._path("running.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return running if psutil.pid_exists(running.pid) else None

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _keep(self, name: str, make: Callable[[], str]) -> str:
        if not self._path(name).exists():
            self._write(name, make())
        return self._path(name).read_text()

    def _write(self, name: str, text: str) -> None:
        """Write in one step, into a file that was never readable by others."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.directory, delete=False) as new:
                new.write(text)
            Path(new.name).replace(self._path(name))
        except OSError as error:
            raise OperatorError(
                f"{self.directory} cannot be written: {error.strerror}. Choose another with --data."
            ) from error


def find_home(data: Path | None) -> Home:
    """Return the home that `up` uses when it is given `data`."""
    return Home(directory=data.absolute()) if data else Home()
