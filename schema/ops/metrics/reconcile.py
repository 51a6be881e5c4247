"""What reconcile counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from schema.ops.metrics.series import start_at_zero

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

DRIFT_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "users": ("missing", "stale", "altered", "deleted_here", "deleted_upstream", "restored"),
    "organizations": ("missing", "stale", "deleted_here", "deleted_upstream"),
    "memberships": ("missing", "stale", "deleted_here", "gone"),
    "sessions": ("orphaned",),
}
"""Resource -> how its rows can differ from what Clerk has."""

RUN_ENDS: Final = ("clean", "drift", "unfinished")
"""How a run can end; unfinished: refused by the ceiling too."""


class ReconcileMetrics:
    """What reconcile counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.drift = Gauge(
            "clerkwork_drift",
            "What differs from Clerk and was left so by the last run that looked, by kind.",
            ["resource", "kind"],
            registry=registry,
        )
        for resource, kinds in DRIFT_KINDS.items():
            for kind in kinds:
                self.drift.labels(resource, kind)
        self.found = start_at_zero(
            Counter(
                "clerkwork_reconcile_found_total",
                "What runs have found to differ from Clerk, mended or not.",
                ["resource"],
                registry=registry,
            ),
            DRIFT_KINDS,
        )
        self.checked = start_at_zero(
            Counter(
                "clerkwork_reconcile_checked_total",
                "What was compared with Clerk.",
                ["resource"],
                registry=registry,
            ),
            DRIFT_KINDS,
        )
        self.runs = start_at_zero(
            Counter(
                "clerkwork_reconcile_runs_total",
                "Comparisons with Clerk by how they ended.",
                ["outcome"],
                registry=registry,
            ),
            RUN_ENDS,
        )
        self.finished = Gauge(
            "clerkwork_reconcile_finished_timestamp_seconds",
            "When a comparison was last brought to an end, 0 before the first.",
            registry=registry,
        )
        self.seconds = Gauge(
            "clerkwork_reconcile_duration_seconds",
            "How long the last one took.",
            registry=registry,
        )
