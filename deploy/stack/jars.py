"""Kafka's jars: fetched once per user, checked against `jars.lock` before every start."""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from deploy.stack.errors import StackError
from deploy.stack.meter import Meter
from deploy.stack.repository import SCRATCH, Repository, trust_the_same_authorities

LOCK = Path(__file__).with_name("jars.lock")
LOCK_HEADER = """\
# Apache Kafka and all it needs: SHA-256, bytes, Maven coordinates.
# Written by deploy.stack.jars.write_lock(); checked before every start.
"""
KAFKA = "org.apache.kafka:kafka_2.13:4.3.0"
LOGGING = "org.slf4j:slf4j-simple:1.7.36"  # the binding for the slf4j-api that Kafka brings
PARALLEL = 8


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One locked file."""

    coordinates: str
    """group:artifact:version"""

    size: int
    """Bytes."""

    sha256: str

    @property
    def filename(self) -> str:
        """Its name in our cache."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def provide_jars(*, lock: Path = LOCK, cache: Path | None = None, name: str = "Kafka") -> Path:
    """Return the directory of the locked jars, fetched when this user has none yet.

    Needs the network only the first time. Raises StackError when there is anything but the
    locked files, no repository answers, or the cache cannot be written.
    """
    jars = read_lock(lock)
    version = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    directory = (cache or user_cache_path("clerkwork")) / f"{name.lower()}-{version}"
    if not directory.exists():
        _fill(directory, jars, name)
    for jar in jars:
        require_checksum(directory / jar.filename, jar)
    if foreign := {path.name for path in directory.iterdir()} - {jar.filename for jar in jars}:
        raise StackError(
            f"{directory} has files that {LOCK.name} does not name, and Java would load them: "
            f"{', '.join(sorted(foreign))}. Delete {directory} and start again."
        )
    return directory


def read_lock(lock: Path) -> list[Jar]:
    """Return what the lock file names."""
    lines = [line.split() for line in lock.read_text().splitlines() if not line.startswith("#")]
    return [Jar(sha256=sha256, size=int(size), coordinates=name) for sha256, size, name in lines]


def require_checksum(path: Path, jar: Jar) -> None:
    """Raise StackError unless the file is the locked one, byte for byte."""
    if (found := _sha256(path)) != jar.sha256:
        raise StackError(
            f"{path} is not the {jar.coordinates} that {LOCK.name} pins, and will not be run: "
            f"its SHA-256 is {found}, not {jar.sha256}. Delete {path.parent} and start again; "
            "if that does not help, do not trust the repository that serves it."
        )


def _fill(directory: Path, jars: list[Jar], name: str) -> None:
    """Fill the directory, in one step; use what an interrupted attempt has left."""
    partial = directory.with_suffix(".part")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with _exclusive(directory.with_suffix(".lock")):
            if not directory.exists():
                missing = [jar for jar in jars if _sha256(partial / jar.filename) != jar.sha256]
                _fetch(missing, partial, name)
                partial.rename(directory)
    except OSError as error:
        raise StackError(
            f"{name}'s jars cannot be kept in {directory}: {error}. Make room there, or name "
            "another place in XDG_CACHE_HOME."
        ) from error


def _fetch(jars: list[Jar], directory: Path, name: str) -> None:
    for abandoned in directory.glob(f"*{SCRATCH}"):
        shutil.rmtree(abandoned)
    total = sum(jar.size for jar in jars)
    _require_space(total, directory)
    trust_the_same_authorities()
    with Meter(f"Fetching {name}, {len(jars)} jars", total=total) as meter:
        repository = Repository(advance=meter.advance)

        def fetch(jar: Jar) -> None:
            repository.fetch(jar.coordinates, directory / jar.filename)
            require_checksum(directory / jar.filename, jar)

        with ThreadPoolExecutor(PARALLEL) as pool:
            try:
                list(pool.map(fetch, jars))
            except BaseException:
                repository.cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _require_space(size: int, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < 2 * size:
        raise StackError(
            f"Kafka's jars need {2 * size >> 20} MB in {directory.parent}, where {free >> 20} MB "
            "are free. Make room there, or name another place in XDG_CACHE_HOME."
        )


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    """Let one process at a time in."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    """Return the checksum, "none" for a file that is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "none"


def write_lock(lock: Path = LOCK) -> None:
    """Resolve Kafka anew and pin what comes, after a change of version above."""
    repository = Repository(advance=lambda _: None)
    with tempfile.TemporaryDirectory() as scratch:
        lines = []
        for coordinates in sorted(repository.resolve([KAFKA, LOGGING], Path(scratch, "poms"))):
            path = Path(scratch, "jar")
            repository.fetch(coordinates, path)
            lines.append(f"{_sha256(path)} {path.stat().st_size} {coordinates}\n")
        lock.write_text(LOCK_HEADER + "".join(lines))
