"""Collapse a batch to one row for each id, table by table. Pure.

A statement cannot touch a row twice, and only what all events of the batch together say matters.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from workers.project.row import Composite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workers.project.row import Row

RowT = TypeVar("RowT", bound="Row")


class Batch:
    """The rows that a batch of events asks for, by their type and their id."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._tables: dict[type[Row], dict[Any, Row]] = {}
        for row in rows:
            table = self._tables.setdefault(type(row), {})
            held = table.get(row.id)
            table[row.id] = row if held is None else held.merge(row)

    def of(self, row_type: type[RowT]) -> Mapping[Any, RowT]:
        """Return id -> row of one table."""
        return cast("Mapping[Any, RowT]", self._tables.get(row_type, {}))

    def decided_by(self, row: Row) -> bool:
        """Say whether the merged row has values of `row`, not of other events alone."""
        merged = self._tables[type(row)][row.id]
        if _is_composite(type(row)):
            return cast("Composite", row).is_in(merged)
        return bool(row.version_event_id) and merged.version_event_id == row.version_event_id


@cache
def _is_composite(row_type: type[Row]) -> bool:
    # Asked of every row; looking through a protocol takes longer than to merge a row.
    return issubclass(row_type, Composite)


def columns(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Turn rows, at least one, into columns, as unnest takes them."""
    return [list(column) for column in zip(*rows, strict=True)]
