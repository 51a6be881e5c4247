"""The Maven repository that Kafka's jars come from, reached through jgo.

Which repository that is, jgo knows; its own configuration file can name another one. A jar
that the user's Maven has already fetched is taken from there.
"""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import default_maven_repo
from jgo.maven import MavenContext, PythonResolver

from deploy.stack.errors import StackError

ATTEMPTS = 3
TIMEOUT_SECONDS = 30
SCRATCH = ".scratch"
"""What directories of downloads under way end with; after a crash they are left behind."""


class Cancelled(Exception):  # noqa: N818 - nothing is wrong
    """The download was called off."""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Hands out files by their Maven coordinates, to several threads at once."""

    advance: Callable[[int], None]
    """Told the size of every piece that arrives."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    """Once set, downloads under way end with Cancelled."""

    def fetch(self, coordinates: str, target: Path) -> None:
        """Put the jar there, whole or not at all.

        Raises StackError when no repository hands it out.
        """
        scratch = target.with_suffix(SCRATCH)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                found = self._context(scratch).create_dependency(coordinates).artifact.resolve()
                shutil.copyfile(found, scratch / "whole")
                (scratch / "whole").rename(target)
            except (OSError, RuntimeError) as error:
                _raise_if_hopeless(error, coordinates, last=attempt == ATTEMPTS)
            else:
                return
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def resolve(self, coordinates: list[str], scratch: Path) -> list[str]:
        """Return the coordinates of these and of everything they need at run time."""
        context = self._context(scratch)
        wanted = [context.create_dependency(each) for each in coordinates]
        found, needed = context.resolver.resolve(wanted)
        return [f"{each.groupId}:{each.artifactId}:{each.version}" for each in found + needed]

    def _context(self, scratch: Path) -> MavenContext:
        scratch.mkdir(parents=True, exist_ok=True)
        context = MavenContext(
            resolver=PythonResolver(progress_callback=self._progress),
            repo_cache=scratch,
            local_repos=[default_maven_repo()],
            timeout=TIMEOUT_SECONDS,
        )
        context.remote_repos.update(GlobalSettings.load().repositories)
        return context

    @contextmanager
    def _progress(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def advance(size: int) -> None:
            if self.cancelled.is_set():
                raise Cancelled
            self.advance(size)

        yield advance


def trust_the_same_authorities() -> None:
    """Let the download trust the certificate authorities that were configured for pip.

    Behind a proxy that opens TLS, people set one of these variables and expect it to do.
    """
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        if path := os.environ.get(name):
            os.environ.setdefault("REQUESTS_CA_BUNDLE", path)


def _raise_if_hopeless(error: OSError | RuntimeError, coordinates: str, *, last: bool) -> None:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EACCES}:
        raise error
    if last:
        raise StackError(
            f"Kafka's {coordinates} cannot be fetched: {error}. The first start needs a Maven "
            "repository; check the connection and HTTPS_PROXY, or name a mirror under "
            "[repositories] in ~/.config/jgo.conf as central = URL. Elsewhere, set "
            "KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs already."
        ) from error
