"""Mask personal data in payloads and headers. Pure.

What is shown is what is known to be harmless: ids, types, states and times. All else is masked,
also what Clerk may add tomorrow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schema.kafka.letters import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MASK: Final = "•••"

_ID: Final = re.compile(r"[a-z]{1,16}_[A-Za-z0-9_]{1,64}")
_WORD: Final = re.compile(r"[a-zA-Z_.:]{1,64}")
_TIME: Final = re.compile(r"\d[\d:.TZ+-]{0,40}")
_WORDS: Final = frozenset({"type", "object", "status", "strategy", "role"})
"""Fields whose values are words of Clerk's."""

_OPEN: Final = re.compile(r".*metadata|.*attributes|permissions|actor")
"""Fields whose insides are an application's, or tell of a device: names, values and all."""

_HEADERS: Final = (
    *("ce_", "content-type", "traceparent", "x-request-id", "x-redacted", "x-original-"),
    *("x-attempt", "x-retry-at", "x-first-failed-at", "x-consumer-group", "x-replay-count"),
    *("x-edited", "x-clerkwork-version", "x-error-class", "x-error-code"),
    *("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset"),
    *("__connect.errors.exception.class.name", "kafka_dlt-original-", "kafka_dlt-exception-fqcn"),
    *("__dlq.errors.topic", "__dlq.errors.partition", "__dlq.errors.offset"),
    *("__dlq.errors.group", "__dlq.errors.delivery.count"),
)
"""How headers begin that never hold personal data."""

_OURS: Final = ("x-error-message", "__connect.errors.exception.message")
"""Headers that hold none where clerkwork has written them."""


def mask_payload(payload: bytes | None) -> str:
    """Return a payload to look at: JSON with its shape and harmless values, else only its size."""
    if payload is None:
        return "null"
    try:
        parsed = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"{len(payload)} bytes that are not JSON"
    return msgspec.json.format(msgspec.json.encode(_mask(parsed, "", open_=False))).decode()


def show_payload(payload: bytes | None) -> str:
    """Return a payload in full; JSON on several lines, its numbers as they were written."""
    if payload is None:
        return "null"
    try:
        return msgspec.json.format(payload).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode(errors="backslashreplace")


def mask_headers(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, str]]:
    """Return headers to look at; values that may hold personal data are masked."""
    harmless = _HEADERS + (_OURS if is_ours(headers) else ())
    return [
        (name, shown if name.startswith(harmless) else MASK)
        for name, shown in show_headers(headers)
    ]


def show_headers(headers: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, str]]:
    """Return headers in full; what is no text as hexadecimal digits."""
    return [(name, _as_text(value or b"")) for name, value in headers]


def _as_text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return text if text.isprintable() else f"0x{value.hex()}"


def _mask(value: Any, field: str, *, open_: bool) -> Any:
    """Return `value` masked; `open_` where even names and numbers are somebody else's."""
    if isinstance(value, dict):
        return {
            (MASK + str(number) if open_ else name): _mask(
                each, name, open_=open_ or bool(_OPEN.fullmatch(name))
            )
            for number, (name, each) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [_mask(each, field, open_=open_) for each in value]
    if isinstance(value, str):
        return value if not open_ and _is_harmless(value, field) else MASK
    return MASK if open_ and value is not None else value


def _is_harmless(text: str, field: str) -> bool:
    if field == "id" or (field.endswith("_id") and field != "external_id"):
        return _ID.fullmatch(text) is not None
    if field in _WORDS:
        return _WORD.fullmatch(text) is not None
    return field.endswith("_at") and _TIME.fullmatch(text) is not None
