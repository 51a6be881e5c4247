"""Pages of lists."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

RowT = TypeVar("RowT")

CURSOR = "AQAGSa9Y9gAA96H15GpkWhyTxApLKm9uHQ"
"""What a cursor of users looks like."""


class Page(BaseModel, Generic[RowT]):
    """A page of a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: list[RowT]
    next_cursor: str | None
    """Send it as `cursor` to go on; null on the last page."""


def page_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the example of a page that ends after one row."""
    return {"data": [row], "next_cursor": None}
