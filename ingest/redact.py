"""Take live one-time codes out of an event before anything keeps it.

`email.created` and `sms.created` carry the code in `data.data` and again in subject, body and
message. Nothing here needs them, and a topic keeps what it is given for two weeks.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

TYPES: Final = frozenset({"email.created", "sms.created"})
FIELDS: Final = frozenset({"subject", "body", "body_plain", "message", "data"})
"""The fields of `data` that can hold a code."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_NULL: Final = msgspec.Raw(b"null")


def redact(body: bytes) -> bytes:
    """Return `body` itself, or where it can carry a code, the event without what can hold one.

    All else in it stays byte for byte. Of `data` that is no object nothing stays. Only the type is
    asked, so that nothing else that is wrong with an event keeps a code in it; what is no JSON
    has no type, and stays as it is.
    """
    event = _read_object(body)
    if event is None:
        return _redact_leniently(body)
    if _read_text(event.get("type")) not in TYPES:
        return body
    data = _read_object(event.get("data", _NULL))
    return msgspec.json.encode({**event, "data": data and _without_codes(data, _NULL)})


def _redact_leniently(body: bytes) -> bytes:
    """Redact what strict parsers refuse, such as half of a surrogate pair; written anew, then."""
    try:
        event = json.loads(body)
        if not isinstance(event, dict) or event.get("type") not in TYPES:
            return body
        data = event.get("data")
        event["data"] = _without_codes(data, None) if isinstance(data, dict) else None
        return json.dumps(event).encode()
    except (ValueError, TypeError, RecursionError):
        return body


def _without_codes(data: dict[str, Any], nothing: object) -> dict[str, Any]:
    return {name: nothing if name in FIELDS else value for name, value in data.items()}


def _read_object(text: bytes | msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _read_text(text: msgspec.Raw | None) -> str | None:
    try:
        return None if text is None else _TEXT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
