"""Write the tables of docs/personal-data.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.personal.places import PLACES
from deploy.personal.tables import TABLES
from deploy.personal.topics import HEADERS, topic_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE: Final = Path(__file__).parents[1] / "docs" / "personal-data.md"
_PLACE: Final = re.compile(r"(<!-- (tables|topics|places) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def with_map(page: str) -> str:
    """Return the page with its tables as they are now."""
    tables = {"tables": _write_tables, "topics": _write_topics, "places": _write_places}
    return _PLACE.sub(lambda place: f"{place[1]}{tables[place[2]]()}\n{place[3]}", page)


def _write_tables() -> str:
    rows = [
        (
            f"`{name}`",
            _list(each.personal),
            _list(each.identifiers),
            each.why,
            each.readers,
            each.until,
        )
        for name, each in TABLES.items()
    ]
    titles = ("table", "personal", "identifiers", "why", "read by", "erased by")
    return _write(titles, rows)


def _write_topics() -> str:
    identifiers = [name for name, kind in HEADERS.items() if kind == "identifier"]
    table = _write(("topics", "key", "value", "read by", "erased by"), topic_rows())
    return f"{table}\n\nHeaders that are identifiers: {_list(identifiers)}. No header is personal."


def _write_places() -> str:
    return _write(("place", "holds", "read by", "until"), PLACES)


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _write(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
