"""What was written to the write-ahead log, whole pages told apart."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.stack.installation import provide_installation

if TYPE_CHECKING:
    import asyncpg

    from deploy.stack import Stack

    Connection = asyncpg.Connection[asyncpg.Record]


@dataclass(frozen=True, kw_only=True)
class Wal:
    """A stretch of the log."""

    bytes: int
    image_bytes: int
    """Of those, whole pages: the first change of a page after a checkpoint."""


async def find_place(database: Connection) -> int:
    """Return where the log ends, in bytes since its beginning."""
    place: int = await database.fetchval("SELECT pg_current_wal_insert_lsn()")
    return place


async def read_wal(stack: Stack, database: Connection, start: int) -> Wal:
    """Return what was written since then, by pg_waldump.

    It must still be there: without a checkpoint it is.
    """
    end = await find_place(database)
    await database.execute("SELECT pg_switch_wal()")  # all before is on disk
    assert stack.postgres
    program = provide_installation().program("pg_waldump")
    command = [str(program), "--stats", "--path", str(stack.postgres.data / "pg_wal")]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, "--start", _write(start), "--end", _write(end)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return Wal(bytes=end - start, image_bytes=read_total(done.stdout))


def _write(place: int) -> str:
    """Write a place of the log as two halves, as PostgreSQL's programs read it."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def read_total(report: str) -> int:
    """Return the bytes of whole pages from the last line of pg_waldump's statistics.

    Total, count [share], record size [share], size of whole pages [share], both.
    https://www.postgresql.org/docs/18/pgwaldump.html
    """
    line = next(each for each in report.splitlines() if each.startswith("Total"))
    return int([word for word in line.split() if word.isdecimal()][2])
