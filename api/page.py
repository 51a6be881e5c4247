"""Pages: a limit and an opaque cursor in, a next cursor out. Pure.

A cursor is a place in an order and not a row, so that it holds after the row is gone: in a list
(created_at, id), among the changes their position.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from schema.http.endpoints import Parameter
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100

LIMIT: Final = Parameter(
    name="limit",
    place="query",
    description="how many of them",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    example=DEFAULT_LIMIT,
)
CURSOR: Final = Parameter(
    name="cursor",
    place="query",
    description="`next_cursor` of the page before",
    schema={"type": "string"},
    example="AQAGQPlLtAAA__________________8",
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAYOUT: Final = struct.Struct(">Bq16s")
"""Version, microseconds since 1970, id."""
NOW: Final = "now"
"""The `since` of who wants to know only where the changes have got to."""

_POSITION: Final = struct.Struct(">Bq")
"""Version, position among all changes."""
_VERSION: Final = 1
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_MAX_ECHO: Final = 64


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """The last row of a page: what comes next is older, or as old with a smaller id."""

    created_at: datetime
    user_id: UUID


@dataclass(frozen=True, kw_only=True)
class Page:
    """What part of a list is asked for."""

    limit: int = DEFAULT_LIMIT
    after: Cursor | None = None


@dataclass(frozen=True, kw_only=True)
class ChangesPage:
    """What part of the changes is asked for."""

    limit: int = DEFAULT_LIMIT
    since: int | None = None
    """The position after which it begins; None for the end of what there is."""


def invalid(field: str, code: str, message: str) -> HttpError:
    """Return the error of a parameter or header that cannot be read."""
    return HttpError(code, message, details={"field": field[:_MAX_ECHO]})


def encode_cursor(cursor: Cursor) -> str:
    """Write `cursor` as text that a URL carries unescaped."""
    micros = (cursor.created_at - _EPOCH) // _MICROSECOND
    packed = _LAYOUT.pack(_VERSION, micros, cursor.user_id.bytes)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """Read back exactly what `encode_cursor` wrote. Raises HttpError 400 INVALID_CURSOR."""
    try:
        packed = base64.urlsafe_b64decode(text.encode("ascii") + b"==")
        _version, micros, id_bytes = _LAYOUT.unpack(packed)
        cursor = Cursor(created_at=_EPOCH + micros * _MICROSECOND, user_id=UUID(bytes=id_bytes))
    except (ValueError, struct.error, OverflowError):
        cursor = None
    # Writing it again settles version, alphabet and stray bits: each cursor has one spelling.
    if cursor is None or encode_cursor(cursor) != text:
        raise invalid("cursor", "INVALID_CURSOR", "Send a cursor as `next_cursor` gave it.")
    return cursor


def encode_position(position: int) -> str:
    """Write a place among the changes as text that a URL and an HTTP header carry unescaped."""
    packed = _POSITION.pack(_VERSION, position)
    return base64.urlsafe_b64encode(packed).decode()


def decode_position(text: str, *, field: str) -> int:
    """Read back exactly what `encode_position` wrote. Raises HttpError 400 INVALID_CURSOR."""
    try:
        packed = base64.urlsafe_b64decode(text.encode("ascii"))
        position: int = _POSITION.unpack(packed)[1]
    except (ValueError, struct.error):
        position = -1
    if position < 0 or encode_position(position) != text:
        message = "Send a cursor of changes as `next_cursor` or `id:` gave it, or `now`."
        raise invalid(field, "INVALID_CURSOR", message)
    return position


def parse_limit(text: str) -> int:
    """Read a limit. Raises HttpError 400 INVALID_LIMIT."""
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise invalid("limit", "INVALID_LIMIT", f"The limit is a number from 1 to {MAX_LIMIT}.")
    return int(text)


def parse_page(query: Iterable[tuple[str, str]]) -> Page:
    """Read the pairs `limit` and `cursor`, each at most once. Raises HttpError 400."""
    values = read_query(query, {"limit": parse_limit, "cursor": decode_cursor})
    return Page(limit=values.get("limit", DEFAULT_LIMIT), after=values.get("cursor"))


def parse_changes_page(query: Iterable[tuple[str, str]]) -> ChangesPage:
    """Read the pairs `limit` and `since`, each at most once. Raises HttpError 400."""
    values = read_query(query, {"limit": parse_limit, "since": _parse_since})
    return ChangesPage(limit=values.get("limit", DEFAULT_LIMIT), since=values.get("since"))


def _parse_since(text: str) -> int | None:
    return None if text == NOW else decode_position(text, field="since")


def read_query(
    query: Iterable[tuple[str, str]], parsers: Mapping[str, Callable[[str], Any]]
) -> Mapping[str, Any]:
    """Return the value of each parameter that is there, as its parser reads it.

    Raises HttpError 400 for one that nobody reads, or that comes twice.
    """
    values: dict[str, Any] = {}
    for name, text in query:
        if name not in parsers:
            raise invalid(name, "UNKNOWN_PARAMETER", "There is no such parameter here.")
        if name in values:
            raise invalid(name, "DUPLICATE_PARAMETER", "Send the parameter once.")
        values[name] = parsers[name](text)
    return values
