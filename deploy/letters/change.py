"""Change a payload, and show what changed. Pure: bytes in, bytes out.

Whatever is not changed keeps its spelling: numbers are never read and written anew.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from deploy.errors import OperatorError
from deploy.letters.mask import show_payload

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATH: Final = re.compile(r"(?:\$\.?)?((?:[^.\[\]]+|\[\d+\])(?:\.[^.\[\]]+|\[\d+\])*)")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Step = str | int


def set_value(payload: bytes, assignment: str) -> bytes:
    """Return a payload with one value replaced or added: `data.email_addresses[0].id="idn_1"`.

    The path is as reasons name it, the value is JSON. Raises OperatorError.
    """
    path, equals, value = assignment.partition("=")
    found = _PATH.fullmatch(path.strip())
    if not (equals and found):
        raise OperatorError(f"{path} is no path with a value. Say --set 'data.id=\"user_1\"'.")
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        raise OperatorError(f"The value for {path} is not JSON; a text stands in quotes.") from None
    steps: list[Step] = [
        int(number) if number else name for name, number in _STEP.findall(found[1])
    ]
    try:
        return _set(payload, steps, value.strip().encode())
    except (msgspec.DecodeError, msgspec.ValidationError, IndexError, RecursionError):
        raise OperatorError(f"The payload has no place {path}.") from None


def _set(text: bytes, steps: Sequence[Step], value: bytes) -> bytes:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = msgspec.json.decode(text, type=list[msgspec.Raw])
        items[step] = msgspec.Raw(_set(bytes(items[step]), rest, value))
        return msgspec.json.encode(items)
    fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    fields[step] = msgspec.Raw(_set(bytes(fields.get(step, b"")), rest, value))
    return msgspec.json.encode(fields)


def compact(text: bytes) -> bytes:
    """Return JSON without spaces between its parts. Raises OperatorError where it is none."""
    try:
        return msgspec.json.format(text, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OperatorError(f"That is not JSON: {error}.") from None


def differ(old: bytes | None, new: bytes, *, context: int = 3) -> list[str]:
    """Return the unified diff between two payloads; nothing where only spaces differ."""
    lines = difflib.unified_diff(
        show_payload(old).splitlines(),
        show_payload(new).splitlines(),
        "letter",
        "edited",
        n=context,
        lineterm="",
    )
    return list(lines)
