"""Where a trace goes on: the header `traceparent`, on requests and on records.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADER: Final = "traceparent"
"""The same name on requests, on records and in the outbox."""

_SHAPE: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED: Final = 1
"""The flag that whoever began the trace keeps it."""


def read_parent(raw: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return what a record's headers say, None where that is nothing or not one. Never raises."""
    found = None
    for name, value in raw:
        if name == HEADER:
            found = value
    text = (found or b"").decode(errors="replace")
    return text if _SHAPE.fullmatch(text) else None


def is_sampled(parent: str) -> bool:
    """Say whether the trace of a `traceparent` is kept."""
    return bool(int(parent[-2:], 16) & _SAMPLED)


def find_trace_id(parent: str) -> str:
    """Return the id of the trace, as tools for traces search for it."""
    return parent.split("-")[1]


def name_trace(parent: str | None) -> Mapping[str, str]:
    """Return what a log line says of a trace; nothing where there is none."""
    return {"trace_id": find_trace_id(parent)} if parent else {}
