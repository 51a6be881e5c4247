"""What the API's cache counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from schema.ops.metrics.series import SECONDS, start_at_zero

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry

CacheOutcome = Literal["hit", "miss", "joined", "stale"]
"""What becomes of a read; `joined` waited for what another one was loading already."""

DropReason = Literal["change", "ttl", "size", "tail_lost"]

CACHE_OUTCOMES: Final[tuple[CacheOutcome, ...]] = get_args(CacheOutcome)
DROP_REASONS: Final[tuple[DropReason, ...]] = get_args(DropReason)


class CacheMetrics:
    """What the cache counts."""

    def __init__(self, registry: CollectorRegistry, *, endpoints: Iterable[str]) -> None:
        """`endpoints` are the names of those whose answers are kept."""
        self.reads = Counter(
            "clerkwork_cache_reads_total",
            "Reads of what may be cached, by endpoint and outcome; the hit ratio is hit over all.",
            ["endpoint", "outcome"],
            registry=registry,
        )
        for endpoint in endpoints:
            for outcome in CACHE_OUTCOMES:
                self.reads.labels(endpoint, outcome)
        self.bytes = Gauge(
            "clerkwork_cache_bytes", "What the entries take in memory.", registry=registry
        )
        self.entries = Gauge("clerkwork_cache_entries", "Answers that are kept.", registry=registry)
        self.dropped = start_at_zero(
            Counter(
                "clerkwork_cache_dropped_total",
                "Entries that were let go: what they tell of changed, their time was over, room"
                " was needed, or nobody could tell any more what had changed.",
                ["reason"],
                registry=registry,
            ),
            DROP_REASONS,
        )
        self.load_seconds = Histogram(
            "clerkwork_cache_load_seconds",
            "Time to load what was not cached.",
            buckets=SECONDS,
            registry=registry,
        )
