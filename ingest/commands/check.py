"""Check the body of a command: bytes and a shape in, a value out, or a 400 that names the fields.

Pure. JSON is read as strictly as RFC 8259 allows: what readers differ about, such as a name that
comes twice, is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from pydantic import ValidationError

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

MOST_PROBLEMS: Final = 5
"""So many are told at once."""
MAX_FIELD: Final = 64
"""Characters of a field's name that are repeated to who sent it."""

WHOLE: Final = "$"
"""What the body itself is called among its fields, as in JSONPath (RFC 9535)."""

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_unicode": "is not text: a surrogate stands alone",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}
"""Pydantic's type of error -> what we say instead of its own words."""

T = TypeVar("T")


class _NotJsonError(ValueError):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def check_body(body: bytes, shape: TypeAdapter[T]) -> T:
    """Return what `body` holds. Raises HttpError INVALID_BODY, which repeats no value."""
    try:
        return shape.validate_python(_parse(body))
    except _NotJsonError as error:
        raise _invalid([{"field": error.field, "reason": error.reason}]) from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise _invalid(_describe(found)) from None


def _parse(body: bytes) -> object:
    try:
        return json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except _NotJsonError:
        raise
    except UnicodeDecodeError:
        raise _NotJsonError(WHOLE, "is not UTF-8") from None
    except ValueError:
        raise _NotJsonError(WHOLE, "is not JSON") from None
    except RecursionError:
        raise _NotJsonError(WHOLE, "is nested too deeply") from None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise _NotJsonError(_printable(name), "comes twice")
    return found


def _no_number(_text: str) -> NoReturn:
    raise _NotJsonError(WHOLE, "is not JSON: NaN and Infinity are no numbers there")


def _describe(errors: Sequence[ErrorDetails]) -> list[dict[str, str]]:
    problems: dict[str, str] = {}
    for error in errors:
        # Every body is flat: what comes after is how the value was looked at.
        field = _printable(str(error["loc"][0])) if error["loc"] else WHOLE
        words = _WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
        problems.setdefault(field, words)
        if len(problems) == MOST_PROBLEMS:
            break
    return [{"field": field, "reason": reason} for field, reason in problems.items()]


def _printable(name: str) -> str:
    return name[:MAX_FIELD].encode(errors="replace").decode()


def _invalid(problems: Sequence[Mapping[str, str]]) -> HttpError:
    first = problems[0]
    return HttpError(
        "INVALID_BODY",
        f"The body cannot be taken: {first['field']}: {first['reason']}.",
        details={"field": first["field"], "problems": problems},
    )
