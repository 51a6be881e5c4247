"""Write what is made from other contracts: `clerkwork contracts generate`.

The rows come from the live database, the descriptions of topics and routes from the code of these.
Nothing here imports the rows, so that a broken file can be written anew.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import schema.postgres
from deploy.contracts.catalog import read_facts
from deploy.contracts.compare import compare_tables
from deploy.contracts.database import some_database
from deploy.contracts.write import write_rows
from deploy.errors import OperatorError
from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    from rich.console import Console

ROWS_FILE: Final = Path(schema.postgres.__file__).with_name("rows.py")
"""What is written; committed, and never edited."""


def generate(console: Console) -> int:
    """Write every file, say which of them that changed, and return 0. Raises OperatorError."""
    write_rows_file(console)
    # Only now: what describes topics and routes may not import with the rows of before.
    from deploy.contracts.openapi import publish_documents  # noqa: PLC0415  # for that reason
    from deploy.contracts.publish import publish  # noqa: PLC0415  # for that reason

    publish(console)
    publish_documents(console)
    return 0


def write_rows_file(console: Console, *, file: Path = ROWS_FILE) -> None:
    """Write the rows, and say whether that changed them.

    Raises OperatorError, with the file as before, when the database is not the declared one.
    """
    with some_database() as url:
        found, declared = asyncio.run(read_facts(url, declared=METADATA))
    drift = [f"  {each}" for each in compare_tables(found, declared)]
    if drift:
        raise OperatorError("\n".join(["The database is not as tables.py declares it:", *drift]))
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    rows = write_rows(found)
    file.write_text(rows, encoding="utf-8")
    console.print(f"{file}: {'as before' if rows == before else 'written anew'}.")
