"""Kafka's jars: what is fetched, what is trusted, what is kept."""

from __future__ import annotations

import hashlib
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from deploy.stack import StackError, jars, repository
from deploy.stack.jars import LOCK, provide_jars, read_lock

if TYPE_CHECKING:
    from pathlib import Path

JARS = {"org.example:one:1.0": b"first jar", "org.example:two:2.0": b"second jar"}


class Mirror:
    """Stands in for jgo: a repository that counts its requests and can be unplugged."""

    def __init__(self) -> None:
        self.files = dict(JARS)
        self.asked: list[str] = []
        self.plugged = True

    def create_dependency(self, coordinates: str, scratch: Path) -> SimpleNamespace:
        """Return what jgo returns, as far as we use it."""

        def resolve() -> Path:
            self.asked.append(coordinates)
            if not self.plugged:
                raise ConnectionError("no route to host")
            path = scratch / "found.jar"
            path.write_bytes(self.files[coordinates])
            return path

        return SimpleNamespace(artifact=SimpleNamespace(resolve=resolve))


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The only repository there is."""
    mirror = Mirror()

    def context(_: object, scratch: Path) -> SimpleNamespace:
        scratch.mkdir(parents=True)
        return SimpleNamespace(
            create_dependency=lambda coordinates: mirror.create_dependency(coordinates, scratch)
        )

    monkeypatch.setattr(repository.Repository, "_context", context)
    return mirror


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of two jars."""
    path = tmp_path / "jars.lock"
    lines = [f"{hashlib.sha256(jar).hexdigest()} {len(jar)} {name}" for name, jar in JARS.items()]
    path.write_text("# a comment\n" + "\n".join(lines) + "\n")
    return path


def test_everything_locked_is_fetched(mirror: Mirror, lock: Path, tmp_path: Path) -> None:
    """The first time, every jar of the lock is fetched, and nothing else is left."""
    directory = provide_jars(lock=lock, cache=tmp_path / "cache")

    assert contents(directory) == sorted(JARS.values())
    assert sorted(mirror.asked) == sorted(JARS)


def test_the_second_time_needs_no_network(mirror: Mirror, lock: Path, tmp_path: Path) -> None:
    """What has been fetched once is there for good."""
    first = provide_jars(lock=lock, cache=tmp_path / "cache")
    mirror.plugged = False

    assert provide_jars(lock=lock, cache=tmp_path / "cache") == first


def test_a_repository_that_lies_is_refused(mirror: Mirror, lock: Path, tmp_path: Path) -> None:
    """A jar with another checksum is refused by name, and none of it is kept for use."""
    mirror.files["org.example:two:2.0"] = b"something else"

    with pytest.raises(StackError, match=r"org\.example:two:2\.0 that jars\.lock pins"):
        provide_jars(lock=lock, cache=tmp_path / "cache")

    assert not list((tmp_path / "cache").glob("kafka-*[0-9a-f]"))


def test_a_jar_changed_later_is_refused(mirror: Mirror, lock: Path, tmp_path: Path) -> None:
    """The cache is not trusted either: checksums are compared before every start."""
    del mirror
    directory = provide_jars(lock=lock, cache=tmp_path / "cache")
    (directory / "one-1.0.jar").write_bytes(b"tampered")

    with pytest.raises(StackError, match=r"will not be run.*Delete .* and start again"):
        provide_jars(lock=lock, cache=tmp_path / "cache")


def test_a_jar_added_later_is_refused(mirror: Mirror, lock: Path, tmp_path: Path) -> None:
    """Java loads whatever lies in the directory, so nothing else may."""
    del mirror
    directory = provide_jars(lock=lock, cache=tmp_path / "cache")
    (directory / "a-guest.jar").touch()

    with pytest.raises(StackError, match=r"a-guest\.jar"):
        provide_jars(lock=lock, cache=tmp_path / "cache")


def test_an_interrupted_fetch_goes_on(mirror: Mirror, lock: Path, tmp_path: Path) -> None:
    """After an interruption nothing half is used, and nothing whole is fetched again."""
    fetched = dict(mirror.files)
    del mirror.files["org.example:two:2.0"]
    with pytest.raises(KeyError):
        provide_jars(lock=lock, cache=tmp_path / "cache")
    [partial] = (tmp_path / "cache").glob("*.part")
    (partial / "two-2.0.scratch").mkdir()
    (partial / "two-2.0.scratch" / "half").touch()
    mirror.files = fetched
    mirror.asked.clear()

    directory = provide_jars(lock=lock, cache=tmp_path / "cache")

    assert mirror.asked == ["org.example:two:2.0"]
    assert contents(directory) == sorted(JARS.values())


def test_no_repository_in_reach(mirror: Mirror, lock: Path, tmp_path: Path) -> None:
    """Without a connection it tries again, then says what it needs and what else to do."""
    mirror.plugged = False

    with pytest.raises(StackError, match=r"no route to host.*KAFKA_BOOTSTRAP_SERVERS"):
        provide_jars(lock=lock, cache=tmp_path / "cache")

    assert len(mirror.asked) >= repository.ATTEMPTS


def test_too_small_a_disk(
    mirror: Mirror, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is fetched, it says how much is needed and how much there is."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))

    with pytest.raises(StackError, match="MB are free"):
        provide_jars(lock=lock, cache=tmp_path / "cache")

    assert mirror.asked == []


def test_a_cache_that_cannot_be_written(lock: Path, tmp_path: Path) -> None:
    """It names the directory and the variable that moves it."""
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match=r"cannot be kept in .*XDG_CACHE_HOME"):
        provide_jars(lock=lock, cache=tmp_path / "file")


def contents(directory: Path) -> list[bytes]:
    """Return what the files in the directory hold."""
    return sorted(path.read_bytes() for path in directory.iterdir())


def test_the_committed_lock_pins_everything() -> None:
    """Kafka and its logging are in it, each jar once, each with a whole checksum."""
    locked = read_lock(LOCK)

    assert {jars.KAFKA, jars.LOGGING} <= {jar.coordinates for jar in locked}
    assert len({jar.filename for jar in locked}) == len(locked)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in locked)
