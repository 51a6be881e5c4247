"""The virtual environment `.venv`: made when missing or stale, otherwise left alone.

Only the standard library: this runs before anything is installed.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much to install."""

    name: str
    lock: str
    """The locked requirements, relative to the project."""

    megabytes: int
    """What it takes on disk, roughly, download included."""


STACK = Extent(name="stack", lock="deploy/stack.lock", megabytes=450)
TEST = Extent(name="test", lock="tests/test.lock", megabytes=900)
BENCH = Extent(name="bench", lock="tests/bench/bench.lock", megabytes=1050)
EXTENTS = (STACK, TEST, BENCH)
"""Each has all of the one before it, in the same versions."""

DEVELOPING = {"test": TEST, "lint": TEST, "bench": BENCH}
"""The console's commands that need the tools of developers too."""


class EnvironmentRefusedError(Exception):
    """There can be no `.venv` here; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment and the project it serves."""

    root: Path = ROOT

    @property
    def directory(self) -> Path:
        """Where it is."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def work(self) -> Path:
        """Where logs and locks go."""
        return self.root / ".clerkwork"

    @property
    def stamp(self) -> Path:
        """Written last, so whoever finds it finds the environment whole."""
        return self.directory / "clerkwork.stamp"

    def has(self, extent: Extent) -> bool:
        """Tell whether so much, or more, is installed and up to date."""
        written = self._written_stamp()
        enough = EXTENTS[EXTENTS.index(extent) :]
        return os.access(self.python, os.X_OK) and any(
            written == self.stamp_for(each) for each in enough
        )

    def stamp_for(self, extent: Extent) -> str:
        """Return what distinguishes an up-to-date environment: whatever it was made from."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text())
        made_from = [
            str(self.root),  # scripts and the editable install contain it
            sys.version_info[:2],
            hashlib.sha256((self.root / extent.lock).read_bytes()).hexdigest(),
            [project["project"], project["build-system"], project["tool"]["hatch"]],
        ]
        digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
        return f"{extent.name} {digest}\n"

    def make(self, extent: Extent) -> None:
        """Bring it about, from nothing; of several processes, one does it.

        Raises EnvironmentRefusedError.
        """
        with self._alone():
            if self.has(extent):
                return
            written = self._written_stamp()
            for more in EXTENTS[EXTENTS.index(extent) :]:
                if written.startswith(f"{more.name} "):
                    extent = more  # who had the tools keeps them
            self._require_space(extent)
            self._install(extent)
            self.stamp.write_text(self.stamp_for(extent))

    def _install(self, extent: Extent) -> None:
        try:
            # Only now: importing it takes longer than everything else in a usual start.
            from deploy.installer import Installer  # noqa: PLC0415  # see above
        except ModuleNotFoundError as error:
            raise EnvironmentRefusedError(incomplete_python(f"its module {error.name}")) from None
        Installer(environment=self, extent=extent).install()

    def _written_stamp(self) -> str:
        with contextlib.suppress(OSError):
            return self.stamp.read_text()
        return ""

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.work.mkdir(exist_ok=True)
            lock = (self.work / "install.lock").open("w")
        except OSError as error:
            raise EnvironmentRefusedError(
                f"{self.root} cannot be written ({error.strerror}), and clerkwork installs itself "
                f"into {self.directory}. Copy the project to a place that you can write, or ask "
                "for the right to write there."
            ) from None
        with lock:
            os.set_inheritable(lock.fileno(), True)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another start is installing; waiting for it …")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _require_space(self, extent: Extent) -> None:
        free = shutil.disk_usage(self.root).free >> 20
        if self.directory.exists():
            return  # what it takes now is about to become free
        if free < extent.megabytes:
            raise EnvironmentRefusedError(
                f"Installing needs about {extent.megabytes} MB in {self.directory}, and {free} MB "
                "are free there. Make room, or move the project to another disk."
            )


def start_console(arguments: Sequence[str]) -> NoReturn:
    """Become the console, with the current directory unchanged.

    Ends with exit code 1 and a message where there can be no environment.
    """
    environment = Environment()
    extent = extent_for(arguments)
    try:
        if not environment.has(extent):
            environment.make(extent)
    except EnvironmentRefusedError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The next start begins the installation anew.")
    python = str(environment.python)
    # -P: a directory called `deploy` where the user happens to be is not ours.
    os.execv(python, [python, "-P", "-m", "deploy", *arguments])  # noqa: S606  # to become it


def extent_for(arguments: Sequence[str]) -> Extent:
    """Return what the console needs for a command line."""
    return DEVELOPING.get(arguments[0], STACK) if arguments else STACK


def incomplete_python(what: str) -> str:
    """Return what to say when a part of Python itself is missing."""
    return (
        f"This Python ({sys.executable}) came without {what}. On Debian and Ubuntu install "
        f"python{sys.version_info[0]}.{sys.version_info[1]}-venv; elsewhere, a complete Python. "
        "Then start again."
    )


def say(line: str) -> None:
    """Tell the user, apart from the console's own output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
