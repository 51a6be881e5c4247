"""Keep what other services are given of the topics beside the code that it is made from.

`schema/kafka/schemas/<topic>.<version>.json` is the contract of a record, published by lying
there: it is written anew only where that breaks no reader. `schema/kafka/asyncapi.json` is the
description of every topic, as the workers serve it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import schema.kafka
from deploy.contracts.compare import Drift
from deploy.contracts.evolve import find_breaks
from deploy.errors import OperatorError
from workers.describe.document import write_document
from workers.describe.records import CONTRACTS, record_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

DIRECTORY: Final = Path(schema.kafka.__file__).parent
"""Where the files are; committed, and never edited."""
SCHEMAS: Final = "schemas"
DOCUMENT: Final = "asyncapi.json"


def publish(console: Console, *, directory: Path = DIRECTORY) -> None:
    """Write the files, and say which of them that changed.

    Raises OperatorError, with all of them as before, where a reader of a published record would
    break.
    """
    if breaks := [f"  {each}" for each in _find_breaks(directory)]:
        advice = "Readers of published records would break; write another version instead:"
        raise OperatorError("\n".join([advice, *breaks]))
    for name, text in _files().items():
        file = directory / name
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        console.print(f"{file}: {'as before' if text == before else 'written anew'}.")


def find_stale(directory: Path = DIRECTORY) -> Iterator[Drift]:
    """Yield where the files are not what the code makes, and what in that breaks readers."""
    yield from _find_breaks(directory)
    files = _files()
    for name, text in files.items():
        file = directory / name
        if not file.exists():
            yield Drift(name, "", "is missing; `clerkwork contracts generate` writes it")
        elif file.read_text(encoding="utf-8") != text:
            yield Drift(name, "", "is not as `clerkwork contracts generate` wrote it")
    for file in sorted((directory / SCHEMAS).glob("*.json")):
        if f"{SCHEMAS}/{file.name}" not in files:
            yield Drift(f"{SCHEMAS}/{file.name}", "", "is published; the code has no such version")


def _find_breaks(directory: Path) -> Iterator[Drift]:
    for contract in CONTRACTS:
        file = directory / SCHEMAS / f"{contract.name}.json"
        if file.exists():
            published = json.loads(file.read_text(encoding="utf-8"))
            for each in find_breaks(published, record_schema(contract)):
                yield Drift(contract.name, each.field, each.reason)


def _files() -> Mapping[str, str]:
    """Return path -> what is to stand there."""
    schemas = {
        f"{SCHEMAS}/{contract.name}.json": json.dumps(record_schema(contract), indent=2) + "\n"
        for contract in CONTRACTS
    }
    return schemas | {DOCUMENT: write_document()}
