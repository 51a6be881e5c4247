"""What the API's cache counts."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, Literal, get_args

from schema.ops.metrics.declare import Bound, Declare
from schema.ops.metrics.promises import Promise

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

    def __init__(self, registry: CollectorRegistry, *, endpoints: Iterable[str] = ()) -> None:
        """`endpoints` are the names of those whose answers are kept."""
        declare = Declare(registry)
        self.reads = declare.counter(
            "clerkwork_cache_reads_total",
            "Reads of what may be cached, by endpoint and outcome; the hit ratio is hit over all.",
            unit="reads",
            labels={
                "endpoint": Bound("an operationId whose answers are kept", 8),
                "outcome": CACHE_OUTCOMES,
            },
        )
        for endpoint, outcome in product(endpoints, CACHE_OUTCOMES):
            self.reads.labels(endpoint, outcome)
        self.bytes = declare.gauge("clerkwork_cache_bytes", "What the entries take in memory.")
        self.entries = declare.gauge(
            "clerkwork_cache_entries", "Answers that are kept.", unit="answers"
        )
        self.dropped = declare.counter(
            "clerkwork_cache_dropped_total",
            "Entries that were let go: what they tell of changed, their time was over, room"
            " was needed, or nobody could tell any more what had changed.",
            unit="answers",
            labels={"reason": DROP_REASONS},
            guards=Promise.CACHE,
        )
        self.load_seconds = declare.histogram(
            "clerkwork_cache_load_seconds", "Time to load what was not cached."
        )
