"""The headers of answers: which come with what, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from schema.http.endpoints import Operation

HEADERS: Final[Mapping[str, tuple[str, object]]] = {
    "X-Request-ID": (
        "The id of the request: the caller's own where it is 8 to 64 harmless characters.",
        "8f14e45fceea167a5a36dedd4bea2543",
    ),
    "Cache-Control": ("Who may keep the answer, and for how long (RFC 9111).", "private, no-cache"),
    "ETag": (
        "Changes exactly when the body does; send it as `If-None-Match` (RFC 9110 §8.8.3).",
        '"5d41402abc4b2a76b9719d911017c592"',
    ),
    "Vary": ("Which headers of a request the answer depends on (RFC 9110 §12.5.5).", "Accept"),
    "Retry-After": ("After how many seconds to ask again (RFC 9110 §10.2.3).", "1"),
    "WWW-Authenticate": ("How to sign in (RFC 9110 §11.6.1).", "Bearer"),
    "Allow": ("The methods that the route knows (RFC 9110 §10.2.1).", "GET, HEAD"),
    "Preference-Applied": ("Which preference was followed (RFC 7240 §3).", "wait=5"),
    "RateLimit": (
        "How many requests are left, and for how long (draft-ietf-httpapi-ratelimit-headers).",
        '"default";r=99;t=60',
    ),
    "RateLimit-Policy": (
        "The limit, and its window in seconds (draft-ietf-httpapi-ratelimit-headers).",
        '"default";q=100;w=60',
    ),
}
"""Name -> what it says, and an example."""

ALWAYS: Final = frozenset({"X-Request-ID"})
"""What no answer comes without."""

_BY_STATUS: Final[Mapping[int, Sequence[str]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    **dict.fromkeys((404, 429, 503, 504), ("Retry-After",)),
}
_BY_CODE: Final[Mapping[str, Sequence[str]]] = {"INSUFFICIENT_SCOPE": ("WWW-Authenticate",)}
_IN_VAIN: Final = (404, 504)
"""What waiting can end with."""


def header_parts() -> dict[str, Any]:
    """Return the headers as components of a document."""
    return {
        name: {
            "description": description,
            "required": name in ALWAYS,
            "schema": {"type": "string"},
            "example": example,
        }
        for name, (description, example) in HEADERS.items()
    }


def headers_of(
    operation: Operation,
    status: int,
    declared: Mapping[str, str] | None = None,
    *,
    codes: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the headers of an answer: what is declared, and what comes by rule."""
    found: dict[str, Any] = {
        name: {"$ref": f"#/components/headers/{name}"}
        for name in (*_by_rule(operation, status), *_by_code(codes))
    }
    for name, description in (declared or {}).items():
        if description or name not in HEADERS:
            found[name] = {"description": description, "schema": {"type": "string"}}
        else:
            found[name] = {"$ref": f"#/components/headers/{name}"}
    return found


def _by_rule(operation: Operation, status: int) -> Iterator[str]:
    yield "X-Request-ID"
    yield "Cache-Control"
    if operation.limited:
        yield from ("RateLimit", "RateLimit-Policy")
    yield from _BY_STATUS.get(status, ())
    if waits_in_vain(operation, status):
        yield "Preference-Applied"


def _by_code(codes: Iterable[str]) -> Iterator[str]:
    for code in codes:
        yield from _BY_CODE.get(code, ())


def waits_in_vain(operation: Operation, status: int) -> bool:
    """Say whether this is what a caller is told who preferred to wait, and did so for nothing."""
    return status in _IN_VAIN and any(each.name == "Prefer" for each in operation.parameters)
