"""Reject what PostgreSQL cannot hold, and say in which field it is. Pure.

Text without NUL, JSON whose numbers fit `numeric`, no lone surrogates:
https://www.postgresql.org/docs/18/datatype-json.html
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schema.kafka.clerk import MalformedEventError

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY_JSON: Final = "{}"

MAX_METADATA_BYTES: Final = 128 * 1024
"""Clerk allows 8 KB; what is larger than this is an accident."""

_MAX_DIGITS: Final = 131_072
_MAX_DECIMALS: Final = 16_383
"""What `numeric` holds before and after the point (PostgreSQL 18, table 8.2)."""

_NUL_ESCAPE: Final = b"\\u0000"
# A NUL, a huge exponent, more digits than any honest number has: look closer.
_SUSPICIOUS: Final = re.compile(rb"\\u0000|\d[eE][+-]?\d{4}|[\d.]{300}")
_FIELD: Final = re.compile(r"[a-z0-9_]{1,64}")


def reject_nuls(data: msgspec.Raw, value: msgspec.Struct, at: str = "$.data") -> None:
    """Raise MalformedEventError naming the field of `value` that holds a NUL.

    `value` is what was read from `data`. JSON has control characters only as escapes, so that one
    look at the bytes tells almost every time that there is none.
    """
    text = bytes(data)
    # Most events have no escape at all, and to look for one byte is twenty times as fast.
    if b"\\" in text and _NUL_ESCAPE in text:
        for path, found in _walk(value, at):
            if isinstance(found, str):
                reject_nul(found, path)


def reject_nul(text: str, field: str) -> None:
    """Raise MalformedEventError where `text` holds what no text column can."""
    if "\x00" in text:
        raise MalformedEventError(field, "holds a NUL character, which PostgreSQL cannot store")


def find_surrogate(text: bytes) -> str | None:
    """Return the path of the first string in `text` that is half a character, None without one.

    Strict parsers only say that they cannot read it; this one reads on, and is slow.
    """
    try:
        return next(
            (path for path, found in _walk(json.loads(text), "$") if _is_broken(found)), None
        )
    except (ValueError, RecursionError):
        return None


def _is_broken(found: object) -> bool:
    try:
        str(found).encode()
    except UnicodeEncodeError:
        return True
    return False


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every text and number inside, with its path."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _walk(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _walk(each, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield path, name
            # What Clerk calls its fields may be told, what an application does not.
            shown = name if "metadata" not in path and _FIELD.fullmatch(name) else "*"
            yield from _walk(each, f"{path}.{shown}")
    elif isinstance(value, str | Decimal):
        yield path, value


def read_json(raw: msgspec.Raw, field: str) -> str:
    """Return JSON as text, null as an empty object. Raises MalformedEventError."""
    text = bytes(raw)
    if len(text) > MAX_METADATA_BYTES:
        raise MalformedEventError(field, f"longer than {MAX_METADATA_BYTES} bytes")
    if _SUSPICIOUS.search(text):
        _reject_inside(text, field)
    try:
        return EMPTY_JSON if text == b"null" else text.decode()
    except UnicodeDecodeError:  # no parser has looked inside yet
        raise MalformedEventError(field, "not UTF-8") from None


def _reject_inside(text: bytes, field: str) -> None:
    try:
        parsed = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise MalformedEventError(field, "not readable as JSON") from None
    for path, found in _walk(parsed, field):
        if isinstance(found, str):
            reject_nul(found, path)
        else:
            _reject_number(found, path)


def _reject_number(number: Decimal, path: str) -> None:
    exponent = number.as_tuple().exponent
    if number.adjusted() >= _MAX_DIGITS or not isinstance(exponent, int):
        raise MalformedEventError(path, "a number beyond what PostgreSQL can store")
    if -exponent > _MAX_DECIMALS:
        raise MalformedEventError(path, "a number with more decimals than PostgreSQL can store")
