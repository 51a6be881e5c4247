"""Tell what a rebuild found: lines for people, personal data masked, or one line of JSON."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy.letters.mask import MASK
from deploy.letters.tell import one_line, write_line
from deploy.rebuild.compare import MOST_SHOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from deploy.rebuild.compare import Comparison, Difference
    from deploy.rebuild.run import Rebuilt
    from deploy.rebuild.settle import Settled

HARMLESS: Final = frozenset(
    {
        *("id", "clerk_id", "user_id", "organization_id", "key"),
        *("version", "version_timestamp", "version_event_id", "activity_version"),
        *("activity_event_id", "deletion_event_id", "email_verified", "impersonated"),
        *("role", "status", "held_status", "signup_source"),
    }
)
"""Columns that say nothing personal, besides times; all others are masked, also new ones."""


def tell_differences(comparisons: Sequence[Comparison], *, unmask: bool, console: Console) -> None:
    """Print how many rows of each table differ, then the first of them, column by column."""
    for each in comparisons:
        if each.rows:
            columns = ", ".join(f"{name} {number}" for name, number in each.columns.items())
            write_line(
                console,
                f"{each.table}: {each.only_live} only live, {each.only_rebuilt} only rebuilt,"
                f" {each.differing} differ{columns and f' ({columns})'}",
            )
    for each in comparisons:
        for difference in each.shown:
            write_line(console, _line(difference, unmask=unmask))
        if each.rows > MOST_SHOWN:
            write_line(console, f"{each.table} … and {each.rows - MOST_SHOWN} rows more")


def tell_filled(records: int, seconds: float, failed: Mapping[str, int], console: Console) -> None:
    """Print how much was applied, how fast, and what could not be."""
    rate = records / seconds if seconds else 0
    write_line(console, f"{records} records applied anew in {seconds:.1f} s ({rate:.0f}/s).")
    if failed:
        number = sum(failed.values())
        write_line(console, f"{number} of them cannot be applied, and are in no table:")
        for reason, count in sorted(failed.items(), key=lambda each: (-each[1], each[0])):
            write_line(console, f"{count:>8}  {one_line(reason)}")


def tell_end(settled: Settled, *, keep: bool, console: Console) -> None:
    """Print what was done."""
    swapped = settled.swapped
    if swapped:
        write_line(
            console,
            f"The rebuilt tables are in their place; others are told of {swapped.told} users."
            f" Writers waited for {settled.writers_waited_s:.2f} s, readers for"
            f" {swapped.readers_waited_s:.2f} s.",
        )
        if keep:
            write_line(
                console,
                "The tables from before, personal data and all, are in the schema before_rebuild:"
                " DROP SCHEMA before_rebuild CASCADE; the next rebuild that keeps some drops it.",
            )
    elif settled.rows:
        write_line(console, f"{settled.rows} rows differ; nothing was changed.")
    else:
        write_line(console, "The tables are what the events make; nothing was changed.")


def tell_json(rebuilt: Rebuilt, *, unmask: bool, console: Console) -> None:
    """Print all of it as one line of JSON."""
    settled = rebuilt.settled
    found: dict[str, Any] = {
        "equal": not settled.rows,
        "swapped": settled.swapped is not None,
        "told": settled.swapped.told if settled.swapped else 0,
        "records": rebuilt.records,
        "seconds": round(rebuilt.seconds, 3),
        "failed": dict(rebuilt.failed),
        "writers_waited_seconds": round(settled.writers_waited_s, 3),
        "tables": {
            each.table: {
                "only_live": each.only_live,
                "only_rebuilt": each.only_rebuilt,
                "differing": each.differing,
                "columns": dict(each.columns),
            }
            for each in settled.comparisons
        },
        "differences": [
            asdict(_masked(difference, unmask=unmask))
            for each in settled.comparisons
            for difference in each.shown
        ],
    }
    write_line(console, msgspec.json.encode(found).decode())


def _line(difference: Difference, *, unmask: bool) -> str:
    each = _masked(difference, unmask=unmask)
    start = f"{each.table} {one_line(each.key)}"
    if each.column is None:
        return f"{start}: {'only live' if each.live else 'only rebuilt'}"
    return f"{start} {each.column}: {_spell(each.live)} -> {_spell(each.rebuilt)}"


def _masked(difference: Difference, *, unmask: bool) -> Difference:
    column = difference.column
    if unmask or column is None or column in HARMLESS or column.endswith("_at"):
        return difference
    return replace(
        difference,
        live=None if difference.live is None else MASK,
        rebuilt=None if difference.rebuilt is None else MASK,
    )


def _spell(value: Any) -> str:
    if value is None:
        return "null"
    return one_line(value if isinstance(value, str) else msgspec.json.encode(value).decode())
