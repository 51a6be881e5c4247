"""Read what an answer of Clerk's says besides its body: its clock, its wishes, its refusals."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from schema.clerk.errors import ClerkRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAUSE_S: Final = 1.0
"""How long to wait where Clerk does not say it, and at least."""

_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")


class _Error(msgspec.Struct, frozen=True):
    code: str


class _Errors(msgspec.Struct, frozen=True):
    errors: list[_Error]


def clock_of(headers: Mapping[str, str]) -> int | None:
    """Return what the sender's clock said, in ms, to the second; None where it did not say."""
    return _date_ms(headers.get("Date", ""))


def pause_of(headers: Mapping[str, str]) -> float:
    """Return for how many seconds Retry-After asks us to wait (RFC 9110, 10.2.3)."""
    wish = headers.get("Retry-After", "").strip()
    if wish.isdecimal():
        return max(float(wish), _PAUSE_S)
    until_ms, now_ms = _date_ms(wish), clock_of(headers)
    if until_ms is None or now_ms is None:
        return _PAUSE_S
    return max((until_ms - now_ms) / 1000, _PAUSE_S)


def refusal_of(status: int, body: bytes) -> ClerkRefusedError:
    """Return the refusal, with Clerk's code for it but none of its words: they may name people."""
    return ClerkRefusedError(status, _code_of(body))


def says_absent(body: bytes) -> bool:
    """Tell whether it is Clerk that says so, not something on the way that knows no such path."""
    return (_code_of(body) or "").endswith("not_found")


def _code_of(body: bytes) -> str | None:
    try:
        errors = msgspec.json.decode(body, type=_Errors).errors
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return errors[0].code if errors and _CODE.fullmatch(errors[0].code) else None


def _date_ms(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None
