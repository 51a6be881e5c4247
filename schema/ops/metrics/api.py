"""What the API counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from schema.ops.metrics.breakers import new_breaker_gauge
from schema.ops.metrics.series import SECONDS, start_at_zero

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

    def __init__(self, registry: CollectorRegistry) -> None:
        self.outcomes = start_at_zero(
            Counter(
                "clerkwork_newcomers_total",
                "Requests of signed-in users who were not here yet, by what came of asking Clerk.",
                ["outcome"],
                registry=registry,
            ),
            NEWCOMERS,
        )
        self.seconds = Histogram(
            "clerkwork_newcomer_seconds",
            "From asking Clerk for a user who is not here yet to the end, whatever came of it.",
            buckets=SECONDS,
            registry=registry,
        )
        self.served = Gauge(
            "clerkwork_newcomers_served",
            "1 while Clerk is asked for them; 0 without its secret key, and while Kafka is away.",
            registry=registry,
        )


class ApiMetrics:
    """What the API counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.newcomers = NewcomerMetrics(registry)
        self.streams = Gauge(
            "clerkwork_change_streams",
            "Streams of changes that are open.",
            registry=registry,
        )
        self.streams_ended = start_at_zero(
            Counter(
                "clerkwork_change_streams_ended_total",
                "Streams of changes by why they ended.",
                ["reason"],
                registry=registry,
            ),
            STREAM_ENDS,
        )
        self.stream_events = Counter(
            "clerkwork_change_stream_events_total",
            "Changes that were sent, to each stream counted.",
            registry=registry,
        )
        self.version_waits = start_at_zero(
            Counter(
                "clerkwork_version_waits_total",
                "Requests that waited for a version of a user or for an event, by how that ended.",
                ["outcome"],
                registry=registry,
            ),
            WAIT_ENDS,
        )
        self.breaker_open = new_breaker_gauge(registry, "database", "jwks", "clerk")
        self.sign_ins_refused = start_at_zero(
            Counter(
                "clerkwork_sign_ins_refused_total",
                "Requests whose caller was not let in, by why.",
                ["reason"],
                registry=registry,
            ),
            SIGN_INS_REFUSED,
        )
        self.standing_looks = start_at_zero(
            Counter(
                "clerkwork_standing_looks_total",
                "Looks at what a caller may do, by where that was found.",
                ["source"],
                registry=registry,
            ),
            STANDING_LOOKS,
        )
        self.query_seconds = Histogram(
            "clerkwork_query_seconds",
            "Statements by name, from sending one to its last row.",
            ["statement"],
            buckets=SECONDS,
            registry=registry,
        )
        self.acquire_seconds = Histogram(
            "clerkwork_connection_wait_seconds",
            "Waits for a connection to PostgreSQL, opening one included.",
            buckets=SECONDS,
            registry=registry,
        )
        self.reads_repeated = Counter(
            "clerkwork_reads_repeated_total",
            "Statements that were sent again because their connection was lost.",
            registry=registry,
        )
