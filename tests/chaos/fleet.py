"""Two processes of each kind behind their balancers, to be replaced by another release."""

from __future__ import annotations

import asyncio
import re
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.stack.ports import LOOPBACK, free_port
from schema import VERSION
from tests.revisions import write_revision
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.stack import Process
    from tests.chaos.balancer import Balancer
    from tests.chaos.troupe import Troupe

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("ingest", "workers", "api", "schema", "deploy")
NEXT: Final = f"{VERSION}.next"
"""What the newer release calls itself."""

PORTS: Final = {
    "ingest": "INGEST_PORT",
    "api": "API_PORT",
    "workers": "WORKER_METRICS_PORT",
    "workers.relay": "RELAY_METRICS_PORT",
}
EACH: Final = 2
"""Processes of each kind."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is rolled out: code, and what it is told."""

    tree: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One process, and where its probes are."""

    process: Process
    port: int


class Fleet:
    """All processes of a deployment."""

    def __init__(self, troupe: Troupe, balancers: Mapping[str, Balancer]) -> None:
        self._troupe = troupe
        self._balancers = balancers
        self._members: dict[str, list[Member]] = {kind: [] for kind in PORTS}
        self.codes: list[int] = []
        """With which processes have ended."""
        self.mixtures: set[frozenset[str]] = set()
        """Which versions of ingest ran beside each other."""

    async def start(self, release: Release) -> None:
        """Start all, at once."""
        await asyncio.gather(*(self._add(kind, release) for kind in PORTS for _ in range(EACH)))

    async def roll(self, release: Release) -> None:
        """Replace all; of each kind one after the other, as a Deployment with maxSurge 1 does."""
        await asyncio.gather(*(self._roll(kind, release) for kind in PORTS))

    async def _roll(self, kind: str, release: Release) -> None:
        for old in list(self._members[kind]):
            await self._add(kind, release)
            if kind == "ingest":
                running = [each.port for each in self._members[kind]]
                self.mixtures.add(frozenset([await asyncio.to_thread(version, p) for p in running]))
            self._members[kind].remove(old)
            self.codes.append(await asyncio.to_thread(old.process.stop))
            if balancer := self._balancers.get(kind):
                balancer.remove(old.port)

    async def _add(self, kind: str, release: Release) -> None:
        port = free_port()
        process = await asyncio.to_thread(
            self._troupe.start,
            kind,
            {**release.environment, PORTS[kind]: str(port)},
            ready=f"http://{LOOPBACK}:{port}/readyz",
            tree=release.tree,
        )
        self._members[kind].append(Member(process=process, port=port))
        if balancer := self._balancers.get(kind):
            balancer.add(port)
            await until(lambda: _is_ready(balancer, port), bool)


class Sharers:
    """Ingest and the API, each on a port that others may listen on, too."""

    def __init__(self, troupe: Troupe, environment: Mapping[str, str]) -> None:
        self._troupe = troupe
        self._environment = {**environment, "HTTP_REUSE_PORT": "true"}
        self.ports = {kind: free_port() for kind in ("ingest", "api")}

    async def start(self) -> Mapping[str, Process]:
        """Start one more of each; return once they listen."""
        return {kind: await self._start(kind) for kind in self.ports}

    async def _start(self, kind: str) -> Process:
        environment = {**self._environment, PORTS[kind]: str(self.ports[kind])}
        process = await asyncio.to_thread(self._troupe.start, kind, environment, ready=None)
        await until(lambda: _log_of(process), lambda said: '"serving"' in said)
        return process


async def _log_of(process: Process) -> str:
    return process.log_tail(100)


async def _is_ready(balancer: Balancer, port: int) -> bool:
    return balancer.ready[port]


def version(port: int) -> str:
    """Return which version a process says that it is. Blocks."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=5) as answer:
        found = re.search(rb'clerkwork_build_info\{.*version="([^"]+)"', answer.read())
    assert found
    return found[1].decode()


def make_next_release(tree: Path) -> None:
    """Copy the code into `tree` as the next release, which expands the database.

    The table that workers write most to has a column that nothing of today knows, and an index.
    """
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package)
    named = tree / "schema/__init__.py"
    named.write_text(named.read_text("utf-8").replace(f'"{VERSION}"', f'"{NEXT}"'), "utf-8")
    write_revision(
        tree / "schema/postgres/migrations",
        up="DO $$BEGIN ALTER TABLE events ADD COLUMN tenant text;"
        " CREATE INDEX ON events (tenant) WHERE tenant IS NOT NULL; END$$",
    )
