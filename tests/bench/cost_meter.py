"""What a run takes: CPU time by process, WAL, and what Kafka keeps."""

from __future__ import annotations

import asyncio
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import psutil

from deploy.stack.installation import provide_installation
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import asyncpg

    from deploy.stack import Postgres, Stack

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


def cpu_of(pid: int) -> float:
    """Return the seconds that a process has had of a core; 0 once it has ended."""
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Wal:
    """What was written to the write-ahead log."""

    bytes: int
    image_bytes: int
    """Of those, whole pages: the first change of a page after a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What has been used so far."""

    at: float
    cpu_s: Mapping[str, float]
    """Who -> seconds of a core; PostgreSQL's processes by what they are."""
    lsn: str
    """Where the write-ahead log ends."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """What was used between two readings."""

    seconds: float
    cpu_s: Mapping[str, float]
    wal: Wal

    @property
    def server_s(self) -> float:
        """The time of PostgreSQL, all its processes together."""
        return sum(each for name, each in self.cpu_s.items() if name.startswith("PostgreSQL"))

    @classmethod
    def between(cls, before: Reading, after: Reading, *, wal: Wal) -> Self:
        """Return the difference of two readings."""
        cpu_s = {name: used - before.cpu_s.get(name, 0.0) for name, used in after.cpu_s.items()}
        return cls(seconds=after.at - before.at, cpu_s=cpu_s, wal=wal)


@dataclass(frozen=True, kw_only=True)
class Meter:
    """Reads what a stack and the processes over it use."""

    stack: Stack
    database: Connection
    processes: Mapping[str, int]
    """Name -> process id, of clerkwork's own."""

    async def read(self) -> Reading:
        """Return what has been used until now."""
        assert self.stack.kafka
        cpu_s = {name: cpu_of(pid) for name, pid in self.processes.items()}
        cpu_s["Kafka"] = cpu_of(self.stack.kafka.pid)
        cpu_s |= await self._postgres()
        lsn = await self.database.fetchval(_SQL["read_place"])
        return Reading(at=time.perf_counter(), cpu_s=cpu_s, lsn=lsn)

    async def _postgres(self) -> dict[str, float]:
        """Return the time of PostgreSQL's processes, without that of this meter's connection."""
        found: dict[str, float] = {}
        for row in await self.database.fetch(_SQL["list_processes"]):
            name = f"PostgreSQL: {row['name']}"
            found[name] = found.get(name, 0.0) + cpu_of(row["pid"])
        postmaster = psutil.Process(_server(self.stack).pid).cpu_times()
        found["PostgreSQL: ended"] = postmaster.children_user + postmaster.children_system
        return found

    async def used_since(self, before: Reading, *, tell_images: bool = False) -> Used:
        """Return what was used since then; whole pages in the WAL are told apart if asked for.

        That reads the WAL again, which must still be there: without a checkpoint it is.
        """
        after = await self.read()
        total = _place(after.lsn) - _place(before.lsn)
        images = 0
        if tell_images:
            await self.database.execute("SELECT pg_switch_wal()")  # all before is on disk
            images = await asyncio.to_thread(
                image_bytes, _server(self.stack), start=before.lsn, end=after.lsn
            )
        return Used.between(before, after, wal=Wal(bytes=total, image_bytes=images))


def _place(lsn: str) -> int:
    """Return a place of the log as a number: it is written as two halves."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _server(stack: Stack) -> Postgres:
    assert stack.postgres
    return stack.postgres


def image_bytes(server: Postgres, *, start: str, end: str) -> int:
    """Return how many bytes of whole pages lie between two places of the log, by pg_waldump."""
    program = provide_installation().program("pg_waldump")
    command = [str(program), "--stats", "--path", str(server.data / "pg_wal")]
    report = subprocess.run(  # noqa: S603  # a program of the server's own
        [*command, "--start", start, "--end", end],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return read_total(report)


def read_total(report: str) -> int:
    """Return the bytes of whole pages from the last line of pg_waldump's statistics.

    Total, count [share], record size [share], size of whole pages [share], both.
    https://www.postgresql.org/docs/18/pgwaldump.html
    """
    line = next(each for each in report.splitlines() if each.startswith("Total"))
    return int([word for word in line.split() if word.isdecimal()][2])


def size_of(directory: Path, *, topic: str) -> int:
    """Return how many bytes of records Kafka keeps of a topic, in this directory of its logs."""
    files = directory.glob(f"{topic}-[0-9]*/*.log")
    return sum(file.stat().st_size for file in files)
