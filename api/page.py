"""Pages: a limit and an opaque cursor in, a next cursor out. Pure.

A cursor is a place in an order and not a row, so that it holds after the row is gone: in a list a
time and an id, among the changes their position. It says which list it is from.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HEAD: Final = struct.Struct(">Bq")
"""Which list, microseconds since 1970; the id follows."""
_MAX_TEXT: Final = 1024
NOW: Final = "now"
"""The `since` of who wants to know only where the changes have got to."""

_POSITION: Final = struct.Struct(">Bq")
"""Version, position among all changes."""
_VERSION: Final = 1
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_MAX_ECHO: Final = 64


Id = TypeVar("Id", UUID, str)
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Cursor(Generic[Id]):
    """The last row of a page: what comes next is older, or as old with a smaller id."""

    at: datetime
    id: Id


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[Id]):
    """A list, and how its cursors write the ids of its rows."""

    number: int
    """Its own, so that the cursor of one list is none of another; never used again."""
    write: Callable[[Id], bytes]
    read: Callable[[bytes], Id]
    """Raises ValueError for what `write` cannot have written."""


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Id]):
    """What part of a list is asked for."""

    limit: int = DEFAULT_LIMIT
    after: Cursor[Id] | None = None

    @property
    def place(self) -> tuple[datetime | None, Id | None]:
        """The time and the id after which it begins, each None for the beginning of the list."""
        return (self.after.at, self.after.id) if self.after else (None, None)


class Found(NamedTuple, Generic[Row]):
    """A part of a list."""

    rows: Sequence[Row]
    more: bool
    """Whether others come after them."""

    @classmethod
    def cut(cls, rows: Sequence[Row], limit: int) -> Found[Row]:
        """Make a page of rows of which one too many was asked for."""
        return cls(rows[:limit], len(rows) > limit)


class Owned(NamedTuple, Generic[Row]):
    """A part of a list that belongs to a user."""

    status: str | None
    """The user's; None where there is no user."""
    found: Found[Row]


@dataclass(frozen=True, kw_only=True)
class ChangesPage:
    """What part of the changes is asked for."""

    limit: int = DEFAULT_LIMIT
    since: int | None = None
    """The position after which it begins; None for the end of what there is."""


def invalid(field: str, code: str, message: str) -> HttpError:
    """Return the error of a parameter or header that cannot be read."""
    return HttpError(code, message, details={"field": field[:_MAX_ECHO]})


def _write_uuid(value: UUID) -> bytes:
    return value.bytes


def _read_uuid(raw: bytes) -> UUID:
    return UUID(bytes=raw)


def _read_text(raw: bytes) -> str:
    text = raw.decode()
    if "\0" in text:
        raise ValueError("no text that PostgreSQL can hold")
    return text


USERS: Final = Listing(number=1, write=_write_uuid, read=_read_uuid)
POSTS: Final = Listing(number=2, write=_write_uuid, read=_read_uuid)
POSTS_OF_USER: Final = Listing(number=3, write=_write_uuid, read=_read_uuid)
SESSIONS: Final = Listing(number=4, write=_write_uuid, read=_read_uuid)
HISTORY: Final = Listing(number=5, write=str.encode, read=_read_text)


def encode_cursor(listing: Listing[Id], cursor: Cursor[Id]) -> str:
    """Write `cursor` as text that a URL carries unescaped."""
    micros = (cursor.at - _EPOCH) // _MICROSECOND
    packed = _HEAD.pack(listing.number, micros) + listing.write(cursor.id)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(listing: Listing[Id], text: str) -> Cursor[Id]:
    """Read back exactly what `encode_cursor` wrote. Raises HttpError 400 INVALID_CURSOR."""
    try:
        packed = base64.urlsafe_b64decode(text[:_MAX_TEXT].encode("ascii") + b"==")
        _number, micros = _HEAD.unpack(packed[: _HEAD.size])
        at = _EPOCH + micros * _MICROSECOND
        cursor = Cursor(at=at, id=listing.read(packed[_HEAD.size :]))
    except (ValueError, struct.error, OverflowError):
        cursor = None
    # Writing it again settles list, alphabet and stray bits: each cursor has one spelling.
    if cursor is None or encode_cursor(listing, cursor) != text:
        raise invalid("cursor", "INVALID_CURSOR", "Send a cursor as `next_cursor` gave it.")
    return cursor


def next_cursor(
    listing: Listing[Id], found: Found[Row], place: Callable[[Row], tuple[datetime | None, Id]]
) -> str | None:
    """Return where to go on after what was found, None at the end."""
    if not found.more:
        return None
    at, last_id = place(found.rows[-1])
    return None if at is None else encode_cursor(listing, Cursor(at=at, id=last_id))


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


def parse_page(query: Iterable[tuple[str, str]], listing: Listing[Id]) -> Page[Id]:
    """Read the pairs `limit` and `cursor`, each at most once. Raises HttpError 400."""
    parsers: dict[str, Callable[[str], Any]] = {
        "limit": parse_limit,
        "cursor": partial(decode_cursor, listing),
    }
    values = read_query(query, parsers)
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
