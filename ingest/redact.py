"""Take live one-time codes out of an event before anything keeps it.

`email.created` and `sms.created` carry the code in `data.data` and again in subject, body and
message. Nothing here needs them, and a topic keeps what it is given for two weeks.
"""

from __future__ import annotations

import json
from typing import Final

from schema.kafka.clerk import MalformedEventError

TYPES: Final = frozenset({"email.created", "sms.created"})
FIELDS: Final = frozenset({"subject", "body", "body_plain", "message", "data"})
"""The fields of `data` that can hold a code."""


def redact(body: bytes) -> bytes:
    """Return the event with every field that can hold a code set to null.

    Raises MalformedEventError where the body is not an event.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedEventError("$", "not readable as JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        raise MalformedEventError("$.data", "Expected `object`")
    data = event["data"]
    event["data"] = {name: None if name in FIELDS else data[name] for name in data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
