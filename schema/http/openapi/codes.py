"""Which error codes an operation can answer with: what it declares, and what holds for all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schema.http.faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from schema.http.endpoints import Operation

EVERYWHERE: Final = (
    *("BAD_REQUEST", "METHOD_NOT_ALLOWED", "REQUEST_TIMEOUT", "EXPECTATION_FAILED"),
    *("HEADERS_TOO_LARGE", "INTERNAL_ERROR"),
)
"""What any request can meet."""
_CROWDED: Final = ("CONNECTIONS_EXHAUSTED",)
"""Before anything of a request is read; a probe that is not ready answers the same status."""
_LIMITED: Final = ("RATE_LIMITED",)
_WITH_PATH: Final = ("NOT_FOUND",)
"""A part of a path that is empty, or holds a slash, is another path."""
_WITH_QUERY: Final = ("UNKNOWN_PARAMETER", "DUPLICATE_PARAMETER")
_WITH_BODY: Final = ("PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a document says beside the endpoints."""

    title: str
    description: str
    """Several paragraphs, with an empty line between them."""
    address: str
    """Where it listens unless told otherwise."""
    signed_in: Sequence[str] = ("UNAUTHENTICATED", "KEYS_UNAVAILABLE")
    """The codes that each operation for who is signed in can answer with."""


def codes_of(operation: Operation, service: Service) -> Mapping[int, Sequence[str]]:
    """Return status -> the codes that come with it, in the order of the registry."""
    codes = set(_codes(operation, service))
    found: defaultdict[int, list[str]] = defaultdict(list)
    for code, fault in FAULTS.items():
        if code in codes:
            found[fault.status].append(code)
    if unknown := codes - FAULTS.keys():
        raise LookupError(f"{operation.name} declares {sorted(unknown)}, which FAULTS has not")
    return dict(sorted(found.items()))


def _codes(operation: Operation, service: Service) -> Iterator[str]:
    yield from operation.errors
    yield from EVERYWHERE
    if 503 not in operation.answers:
        yield from _CROWDED
    if operation.signed_in:
        yield from service.signed_in
    if operation.limited:
        yield from _LIMITED
    if "{" in operation.path:
        yield from _WITH_PATH
    if any(each.place == "query" for each in operation.parameters):
        yield from _WITH_QUERY
    if operation.body:
        yield from _WITH_BODY
