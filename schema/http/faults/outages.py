"""We cannot, or not now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.http.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTAGES: Final[Mapping[str, Fault]] = {
    "INTERNAL_ERROR": Fault(
        500,
        "Something went wrong on our side.",
        "A bug; the log has it, under the request id.",
        "Try again later; tell the operator the request id.",
    ),
    "BROKER_UNAVAILABLE": Fault(
        503,
        "What was sent is not stored.",
        "Kafka does not acknowledge, or too much waits for it already.",
        "Send it again after the seconds in Retry-After.",
    ),
    "CONNECTIONS_EXHAUSTED": Fault(
        503,
        "Too many connections are open.",
        "HTTP_CONNECTIONS of them are in use, or HTTP_CONNECTIONS_PER_SOURCE of one address.",
        "Use fewer connections for more requests; ask again after the seconds in Retry-After.",
    ),
    "DATABASE_UNAVAILABLE": Fault(
        503,
        "The database does not answer at the moment.",
        "It restarts, is overloaded or away.",
        "Ask again after the seconds in Retry-After.",
    ),
    "KEYS_UNAVAILABLE": Fault(
        503,
        "Tokens cannot be checked at the moment.",
        "Clerk's public keys cannot be fetched, and none that would do is kept.",
        "Ask again after the seconds in Retry-After.",
    ),
    "STREAMS_EXHAUSTED": Fault(
        503,
        "Too many streams of changes are open.",
        "API_STREAMS of them are open in this process.",
        "Ask again after the seconds in Retry-After.",
    ),
    "WAITS_EXHAUSTED": Fault(
        503,
        "Too many requests wait for versions or events.",
        "API_VERSION_WAITS of them wait in this process.",
        "Ask again after the seconds in Retry-After.",
    ),
    "VERSION_NOT_REACHED": Fault(
        504,
        "The user has not reached the version in time.",
        "The event is still on its way, or will never arrive.",
        "Ask again; `Prefer: wait=10` waits for longer.",
    ),
}
"""Code -> what it stands for."""
