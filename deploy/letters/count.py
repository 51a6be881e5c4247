"""Count dead letters: by class, by reason, by type, and over time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from deploy.letters.select import Selection, over_matching
from deploy.letters.tell import bar, one_line, write_line
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg
    from rich.console import Console

    Connection = asyncpg.Connection[asyncpg.Record]

HOURS_UP_TO_S: Final = 3 * 24 * 60 * 60
"""What spans more than three days is counted by days."""

MOST_NAMED: Final = 10
"""How many classes, reasons and types are told apart; the rest is one figure."""

REST: Final = "(others)"

_SQL: Final = over_matching(read_statements(__file__))


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """How many letters, of what kind, and when."""

    total: int
    by_class: Mapping[str, int]
    by_reason: Mapping[str, int]
    """The code and the reason in one text; the most frequent first, also above and below."""
    by_type: Mapping[str, int]
    unit: str
    """`hour` or `day`."""
    by_time: Mapping[str, int]
    """The beginning of each hour or day, in UTC; those without letters are there too."""


async def count_letters(connection: Connection, selection: Selection) -> Statistics:
    """Return the statistics of a selection; its limit counts for nothing."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        span = await connection.fetchrow(_SQL["find_span"], *selection.arguments())
        if span is None or span["first"] is None:
            nothing: dict[str, int] = {}
            return Statistics(
                total=0,
                by_class=nothing,
                by_reason=nothing,
                by_type=nothing,
                unit="hour",
                by_time=nothing,
            )
        seconds = (span["last"] - span["first"]).total_seconds()
        unit = "hour" if seconds <= HOURS_UP_TO_S else "day"
        arguments = (*selection.arguments(), unit)
        kinds = await connection.fetch(_SQL["count_kinds"], *selection.arguments())
        times = await connection.fetch(_SQL["count_times"], *arguments)
    return Statistics(
        total=span["letters"],
        by_class=_most(kinds, "error_class"),
        by_reason=_most(kinds, "reason"),
        by_type=_most(kinds, "type"),
        unit=unit,
        by_time={_moment(row["moment"]): row["letters"] for row in times},
    )


def tell_statistics(found: Statistics, *, as_json: bool, console: Console) -> None:
    """Print statistics, with bars, or as one line of JSON."""
    if as_json:
        write_line(console, msgspec.json.encode(asdict(found)).decode())
        return
    console.print(f"{found.total} letters")
    titles = {
        "by class": found.by_class,
        "by reason": found.by_reason,
        "by type": found.by_type,
        f"by {found.unit}": found.by_time,
    }
    for title, counts in titles.items():
        if counts:
            console.print(f"\n{title}")
            most = max(counts.values())
            for name, number in counts.items():
                write_line(console, f"{number:>8}  {bar(number, most):<30}  {one_line(name)}")


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes").replace("+00:00", "Z")


def _most(rows: list[asyncpg.Record], kind: str) -> dict[str, int]:
    """Return the most frequent values of a kind, and how many letters have another."""
    counted = [(row["value"], row["letters"]) for row in rows if row["kind"] == kind]
    named = dict(counted[:MOST_NAMED])
    rest = sum(letters for _, letters in counted[MOST_NAMED:])
    return named | ({REST: rest} if rest else {})
