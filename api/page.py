"""Pages: a limit and an opaque cursor in, a next cursor out. Pure.

A cursor is a place in the order (created_at, id), not a row: it holds after the row is gone.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAYOUT: Final = struct.Struct(">Bq16s")
"""Version, microseconds since 1970, id."""
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


def _invalid(field: str, code: str, message: str) -> HttpError:
    return HttpError(400, code, message, details={"field": field[:_MAX_ECHO]})


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
        raise _invalid("cursor", "INVALID_CURSOR", "Send a cursor as `next_cursor` gave it.")
    return cursor


def parse_limit(text: str) -> int:
    """Read a limit. Raises HttpError 400 INVALID_LIMIT."""
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise _invalid("limit", "INVALID_LIMIT", f"The limit is a number from 1 to {MAX_LIMIT}.")
    return int(text)


def parse_page(query: Iterable[tuple[str, str]]) -> Page:
    """Read the pairs `limit` and `cursor`, each at most once. Raises HttpError 400."""
    page = Page()
    seen = set[str]()
    for name, text in query:
        if name not in ("limit", "cursor"):
            raise _invalid(name, "UNKNOWN_PARAMETER", "There is no such parameter here.")
        if name in seen:
            raise _invalid(name, f"INVALID_{name.upper()}", "Send the parameter once.")
        seen.add(name)
        if name == "limit":
            page = replace(page, limit=parse_limit(text))
        else:
            page = replace(page, after=decode_cursor(text))
    return page
