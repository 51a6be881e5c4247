"""PostgreSQL's log as a database that has run for a while has it: with files to be used again.

A commit that comes to the end of a file waits, where there is no next one, until 16 MB of zeros are
on the disk: 60 to 90 ms. What a checkpoint leaves is used again.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from schema.postgres.statements import read_statements

FILES: Final = 60
_SQL: Final = read_statements(__file__)


async def make_log_files(url: str) -> None:
    """Fill so many files, and leave them for later; `min_wal_size` allows it."""
    connection = await asyncpg.connect(url)
    try:
        for _ in range(FILES):
            await connection.execute(_SQL["fill_file"])
            await connection.execute(_SQL["begin_next"])
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
