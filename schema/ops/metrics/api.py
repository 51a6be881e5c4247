"""What the API counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.ops.metrics.breakers import new_breaker_gauge
from schema.ops.metrics.declare import Bound, Declare
from schema.ops.metrics.promises import Promise

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


STREAM_ENDS: Final = (
    "client_gone",
    "token_expired",
    "user_banned",
    "user_deleted",
    "user_deprovisioned",
    "role_changed",
    "slow_client",
    "cursor_expired",
    "invalid_cursor",
    "database_unavailable",
    "shutting_down",
    "internal_error",
)
"""Why a stream of changes can end."""

WAIT_ENDS: Final = ("reached", "not_reached")
"""How waiting for a version of a user, or for an event, can end."""

SIGN_INS_REFUSED: Final = (
    *("missing", "malformed", "not_a_session", "unknown_key", "bad_signature"),
    *("expired", "not_yet_valid", "wrong_issuer", "wrong_party"),
    *("pending_session", "session_ended"),
    "insufficient_scope",
    *("user_banned", "user_deleted", "user_deprovisioned"),
    "keys_unavailable",
)
"""Why a caller is not let in: the reasons of the 401, the codes of the 403 and 503."""

STANDING_LOOKS: Final = ("kept", "read", "outage")
"""Where a caller's standing came from: memory, the database, memory because that was away."""

NEWCOMERS: Final = (
    *("arrived", "late", "absent"),
    *("clerk_unavailable", "clerk_refused", "kafka_unavailable", "unreadable", "failed"),
    *("joined", "remembered", "busy"),
)
"""What can come of a signed-in user who is not here yet.

Fetched, published, and here in time or not; unknown to Clerk too; what was in the way; and why
Clerk was not asked: it is being asked, it was asked a moment ago, or too many others ask.
"""


class NewcomerMetrics:
    """What is counted of signed-in users who are not here yet."""

    def __init__(self, declare: Declare) -> None:
        self.outcomes = declare.counter(
            "clerkwork_newcomers_total",
            "Requests of signed-in users who were not here yet, by what came of asking Clerk.",
            unit="requests",
            labels={"outcome": NEWCOMERS},
            guards=Promise.NEWCOMERS,
        )
        self.seconds = declare.histogram(
            "clerkwork_newcomer_seconds",
            "From asking Clerk for a user who is not here yet to the end, whatever came of it.",
        )
        self.served = declare.gauge(
            "clerkwork_newcomers_served",
            "1 while Clerk is asked for them; 0 without its secret key, and while Kafka is away.",
            unit="0 or 1",
            guards=Promise.NEWCOMERS,
        )


class _StreamMetrics:
    """What is counted of streams and of those who wait."""

    def __init__(self, declare: Declare) -> None:
        self.streams = declare.gauge(
            "clerkwork_change_streams", "Streams of changes that are open.", unit="streams"
        )
        self.streams_ended = declare.counter(
            "clerkwork_change_streams_ended_total",
            "Streams of changes by why they ended.",
            unit="streams",
            labels={"reason": STREAM_ENDS},
            guards=Promise.AWAY,
        )
        self.stream_events = declare.counter(
            "clerkwork_change_stream_events_total",
            "Changes that were sent, to each stream counted.",
            unit="changes",
        )
        self.version_waits = declare.counter(
            "clerkwork_version_waits_total",
            "Requests that waited for a version of a user or for an event, by how that ended.",
            unit="requests",
            labels={"outcome": WAIT_ENDS},
            guards=Promise.WRITTEN,
        )


class _DatabaseMetrics:
    """What is counted of reading from PostgreSQL."""

    def __init__(self, declare: Declare) -> None:
        self.query_seconds = declare.histogram(
            "clerkwork_query_seconds",
            "Statements by name, from sending one to its last row.",
            labels={"statement": Bound("a statement's name in the API's `.sql` files", 48)},
        )
        self.acquire_seconds = declare.histogram(
            "clerkwork_connection_wait_seconds",
            "Waits for a connection to PostgreSQL, opening one included.",
        )
        self.reads_repeated = declare.counter(
            "clerkwork_reads_repeated_total",
            "Statements that were sent again because their connection was lost.",
            unit="statements",
        )


class ApiMetrics(_StreamMetrics, _DatabaseMetrics):
    """What the API counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        declare = Declare(registry)
        _StreamMetrics.__init__(self, declare)
        _DatabaseMetrics.__init__(self, declare)
        self.newcomers = NewcomerMetrics(declare)
        self.breaker_open = new_breaker_gauge(registry, "database", "jwks", "clerk")
        self.sign_ins_refused = declare.counter(
            "clerkwork_sign_ins_refused_total",
            "Requests whose caller was not let in, by why.",
            unit="requests",
            labels={"reason": SIGN_INS_REFUSED},
            guards=Promise.MATRIX,
        )
        self.standing_looks = declare.counter(
            "clerkwork_standing_looks_total",
            "Looks at what a caller may do, by where that was found.",
            unit="looks",
            labels={"source": STANDING_LOOKS},
            guards=Promise.MATRIX,
        )
