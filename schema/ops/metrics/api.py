"""What the API counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from schema.ops.metrics.series import start_at_zero

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
"""How waiting for a version of a user can end."""


class ApiMetrics:
    """What the API counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
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
                "Requests that waited for a version of a user, by how that ended.",
                ["outcome"],
                registry=registry,
            ),
            WAIT_ENDS,
        )
