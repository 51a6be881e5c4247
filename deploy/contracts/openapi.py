"""Keep the OpenAPI documents that callers are given beside the code that they are made from.

`schema/http/openapi/<service>.json` is published by lying there: it is written anew only where
that breaks no caller.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import api.describe
import ingest.describe
import schema.http.openapi
from deploy.contracts.compare import Drift
from deploy.contracts.routes import find_route_breaks
from deploy.errors import OperatorError
from schema.http.openapi.document import write_document
from schema.http.openapi.serve import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

DIRECTORY: Final = Path(schema.http.openapi.__file__).parent
"""Where the files are; committed, and never edited."""


def build_documents() -> Mapping[str, dict[str, Any]]:
    """Return file -> the document that it is to hold."""
    return {
        "api.json": describe(api.describe.SERVICE, api.describe.ENDPOINTS),
        "ingest.json": describe(ingest.describe.SERVICE, ingest.describe.ENDPOINTS),
    }


def publish_documents(console: Console, *, directory: Path = DIRECTORY) -> None:
    """Write the files, and say which of them that changed.

    Raises OperatorError, with all of them as before, where a caller of a published route would
    break.
    """
    if breaks := [f"  {each}" for each in _find_breaks(directory)]:
        raise OperatorError("\n".join(["Callers of published routes would break:", *breaks]))
    for name, document in build_documents().items():
        file = directory / name
        text = write_document(document)
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(text, encoding="utf-8")
        console.print(f"{file}: {'as before' if text == before else 'written anew'}.")


def find_stale_documents(directory: Path = DIRECTORY) -> Iterator[Drift]:
    """Yield where the files are not what the code makes, and what in that breaks callers."""
    yield from _find_breaks(directory)
    for name, document in build_documents().items():
        file = directory / name
        if not file.exists():
            yield Drift(name, "", "is missing; `clerkwork contracts generate` writes it")
        elif file.read_text(encoding="utf-8") != write_document(document):
            yield Drift(name, "", "is not as `clerkwork contracts generate` wrote it")


def _find_breaks(directory: Path) -> Iterator[Drift]:
    for name, document in build_documents().items():
        file = directory / name
        if file.exists():
            published = json.loads(file.read_text(encoding="utf-8"))
            for each in find_route_breaks(published, document):
                yield Drift(name, each.field, each.reason)
