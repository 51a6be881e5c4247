"""The tables of docs/how-to/least-privilege.md, made from the declarations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.rights.tables import TABLES, TEMPORARY, role_of
from deploy.rights.topics import NEEDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.rights.topics import Right

PAGE: Final = Path(__file__).parents[1] / "docs" / "how-to" / "least-privilege.md"

_PLACE: Final = re.compile(r"(<!-- (postgres|kafka) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def postgres_table() -> str:
    """Return which role may do what to which tables, as Markdown."""
    rows = [f"| `{role_of(process)}` | {'; '.join(_tell_tables(process))} |" for process in TABLES]
    return "\n".join(["| role | may |", "|---|---|", *rows])


def kafka_table() -> str:
    """Return which process may do what in Kafka, as Markdown."""
    rows = [f"| {process} | {'; '.join(_tell_rights(needs))} |" for process, needs in NEEDS.items()]
    return "\n".join(["| process | may |", "|---|---|", *rows])


def with_tables(page: str) -> str:
    """Return the page with its tables as they are now."""
    tables = {"postgres": postgres_table, "kafka": kafka_table}
    return _PLACE.sub(lambda place: f"{place[1]}{tables[place[2]]()}\n{place[3]}", page)


def _tell_tables(process: str) -> Iterable[str]:
    alike: dict[str, list[str]] = {}
    for table, privileges in TABLES[process].items():
        alike.setdefault(privileges, []).append(f"`{table}`")
    for privileges, tables in alike.items():
        yield f"{privileges} on {', '.join(tables)}"
    if process in TEMPORARY:
        yield "TEMPORARY tables"


def _tell_rights(needs: Iterable[Right]) -> Iterable[str]:
    alike: dict[tuple[str, str], list[str]] = {}
    for each in sorted(needs):
        alike.setdefault((each.operation, each.kind), []).append(f"`{each.name}`")
    for (operation, kind), names in alike.items():
        yield f"{operation} {kind} {', '.join(names)}"
