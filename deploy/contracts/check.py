"""Hold the layers against each other: `clerkwork contracts check`.

tables.py = the database = rows.py; contracts.py promises parts of it, and decides on the rest. What
other services are given of topics and routes is what the code makes, and breaks nobody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from deploy.contracts.catalog import read_facts
from deploy.contracts.compare import Drift, compare_decisions, compare_facts, compare_tables
from deploy.contracts.database import some_database
from deploy.contracts.generate import ROWS_FILE
from deploy.contracts.openapi import find_stale_documents
from deploy.contracts.parse import read_rows
from deploy.contracts.publish import find_stale
from deploy.contracts.write import write_rows
from schema.postgres.contracts import DECISIONS
from schema.postgres.rows import ROWS
from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from deploy.contracts.catalog import Facts


def check(console: Console) -> int:
    """Say what differs, and return 1 when something does. Raises OperatorError."""
    with some_database() as url:
        found, declared = asyncio.run(read_facts(url, declared=METADATA))
    drift = list(find_drift(found, declared, rows_source=ROWS_FILE.read_text(encoding="utf-8")))
    drift += find_stale()
    drift += find_stale_documents()
    for each in drift:
        console.print(str(each), markup=False)
    if not drift:
        console.print("Tables, rows, contracts, topics and routes agree.")
    return 1 if drift else 0


def find_drift(found: Facts, declared: Facts, *, rows_source: str) -> Iterator[Drift]:
    """Yield every disagreement between neighbours.

    Raises OperatorError for a column that Python has no type or no name for.
    """
    yield from compare_tables(found, declared)
    generated = write_rows(found)
    names = ("the database", ROWS_FILE.name)
    drift = list(compare_facts(read_rows(generated), read_rows(rows_source), names=names))
    if rows_source != generated and not drift:
        drift.append(Drift(ROWS_FILE.name, "", "is not as `clerkwork contracts generate` wrote it"))
    yield from drift
    yield from compare_decisions(DECISIONS, ROWS)
