"""Give a command its id: of its own, or with an `Idempotency-Key` the same for every repeat.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schema.http.errors import HttpError
from schema.postgres.ids import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER: Final = "Idempotency-Key"
MAX_KEY: Final = 255
"""Characters of a key."""
PREFIX: Final = "cmd_"
"""What every command's id begins with."""

# A string of Structured Fields (RFC 9651 §3.3.3), as the draft has it, or as most clients send it:
# the bare characters.
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
_BARE: Final = re.compile(r"[!#-~][ -~]*")
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What makes a request the same as another, its key aside."""

    clerk_id: str
    """Whose it is."""
    method: str
    path: str


def read_key(values: Sequence[str]) -> str | None:
    """Return the key in the header's values, None where there is no header.

    Raises HttpError 400 where it is not one key of 1 to 255 printable ASCII characters.
    """
    if not values:
        return None
    key = _unquote(values[0].strip(" \t")) if len(values) == 1 else ""
    if not 0 < len(key) <= MAX_KEY:
        raise HttpError(
            "INVALID_IDEMPOTENCY_KEY",
            f"An idempotency key is 1 to {MAX_KEY} printable ASCII characters, sent once.",
            details={"field": HEADER},
        )
    return key


def _unquote(text: str) -> str:
    if quoted := _QUOTED.fullmatch(text):
        return _ESCAPED.sub(r"\1", quoted[1])
    return text if _BARE.fullmatch(text) else ""


def identify(request: Request, key: str | None) -> str:
    """Return the id of the command that `request` gives.

    With a key it is the same in every process and after every restart.
    """
    if key is None:
        return f"{PREFIX}{uuid.uuid4().hex}"
    # None of the parts can contain a newline, nor can a clerk id, from which keys of rows are made.
    name = f"{request.clerk_id}\n{request.method}\n{request.path}\n{key}"
    return f"{PREFIX}{uuid.uuid5(NAMESPACE, name).hex}"
