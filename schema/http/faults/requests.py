"""The request itself is at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.http.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTS: Final[Mapping[str, Fault]] = {
    "BAD_REQUEST": Fault(
        400,
        "The request is not readable HTTP.",
        "A broken request line, header, body or encoding, or more than 64 headers.",
        "Send a well-formed request.",
    ),
    "INVALID_ID": Fault(
        400,
        "An id in the path has the wrong shape.",
        "An id of another kind, or one that was cut or escaped.",
        "Send the id as it was given; `details.field` names the part of the path.",
    ),
    "INVALID_CURSOR": Fault(
        400,
        "A cursor cannot be read.",
        "A cursor that was changed, cut, or is from another list.",
        "Send `next_cursor` as it was given, or begin without one.",
    ),
    "INVALID_LIMIT": Fault(
        400,
        "`limit` is not a number from 1 to 100.",
        "A page of that size cannot be asked for.",
        "Send a smaller one, or none.",
    ),
    "INVALID_MIN_VERSION": Fault(
        400,
        "`min_version` is not a version.",
        "Something else than a whole number from 0 to 2^53.",
        "Send `version` as a 202 or a record gave it.",
    ),
    "UNKNOWN_PARAMETER": Fault(
        400,
        "A query parameter is not one of this route.",
        "A misspelt parameter, which would have no effect.",
        "Leave out what `details.field` names.",
    ),
    "DUPLICATE_PARAMETER": Fault(
        400,
        "A query parameter comes twice.",
        "Proxies and frameworks differ in which of the two counts.",
        "Send what `details.field` names once.",
    ),
    "MISSING_HEADER": Fault(
        400,
        "A svix header is not there.",
        "The request is not from Svix, or a proxy drops its headers.",
        "Let svix-id, svix-timestamp and svix-signature through.",
    ),
    "MALFORMED_SIGNATURE": Fault(
        400,
        "A svix header cannot be read.",
        "The request is not from Svix, or a proxy changes its headers.",
        "Let the headers through as they are.",
    ),
    "INVALID_PAYLOAD": Fault(
        400,
        "The body is not UTF-8.",
        "No Svix library can have signed it as text.",
        "Send what was signed.",
    ),
    "INVALID_BODY": Fault(
        400,
        "The body is not what the route takes.",
        "No JSON, a field that is missing, unknown, given twice or of another kind or size.",
        "Correct what `details.problems` names; `details.field` is the first of it.",
    ),
    "INVALID_IDEMPOTENCY_KEY": Fault(
        400,
        "The header Idempotency-Key cannot be read.",
        "It is empty, too long, not printable ASCII, or comes twice.",
        "Send a UUID, of its own for each command.",
    ),
    "REQUEST_TIMEOUT": Fault(
        408,
        "The request did not arrive in time.",
        "A sender that is slow or has gone away.",
        "Send it again.",
    ),
    "PAYLOAD_TOO_LARGE": Fault(
        413,
        "The body is too large.",
        "More bytes than the route takes.",
        "Send less.",
    ),
    "UNSUPPORTED_MEDIA_TYPE": Fault(
        415,
        "The body is not JSON.",
        "Another Content-Type than application/json.",
        "Send application/json.",
    ),
    "EXPECTATION_FAILED": Fault(
        417,
        "What the header Expect asks for is not known.",
        "Another expectation than 100-continue.",
        "Leave the header out.",
    ),
    "IDEMPOTENCY_KEY_REUSED": Fault(
        422,
        "The idempotency key belongs to another command.",
        "The same key came with another body before.",
        "Make a new key for each command, and keep it for its repeats.",
    ),
    "RATE_LIMITED": Fault(
        429,
        "Too many requests.",
        "More of them than the route's limit lets through in its window.",
        "Wait for the seconds in Retry-After.",
    ),
    "TOO_MANY_STREAMS": Fault(
        429,
        "The caller has enough streams of changes open.",
        "API_STREAMS_PER_USER of them are open.",
        "Close one, or wait for the seconds in Retry-After.",
    ),
    "TOO_MANY_WAITS": Fault(
        429,
        "Enough requests of the caller wait for versions or events.",
        "They wait for what has not arrived yet.",
        "Wait for the seconds in Retry-After.",
    ),
    "HEADERS_TOO_LARGE": Fault(
        431,
        "The request's head is too large.",
        "A request line or a header over 8 KiB, or all of them together over 16 KiB.",
        "Send fewer or shorter ones; cookies of other applications are often the cause.",
    ),
}
"""Code -> what it stands for."""
