"""What reconcile counts."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from schema.ops.metrics.declare import Declare
from schema.ops.metrics.promises import Promise

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


_RESOURCES: Final = tuple(DRIFT_KINDS)


class ReconcileMetrics:
    """What reconcile counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        declare = Declare(registry)
        self.drift = declare.gauge(
            "clerkwork_drift",
            "What differs from Clerk and was left so by the last run that looked, by kind.",
            unit="rows",
            labels={
                "resource": _RESOURCES,
                "kind": tuple(dict.fromkeys(chain.from_iterable(DRIFT_KINDS.values()))),
            },
            only=[(resource, kind) for resource, kinds in DRIFT_KINDS.items() for kind in kinds],
            guards=Promise.RECONCILED,
        )
        self.found = declare.counter(
            "clerkwork_reconcile_found_total",
            "What runs have found to differ from Clerk, mended or not.",
            unit="rows",
            labels={"resource": _RESOURCES},
            guards=Promise.RECONCILED,
            beside="clerkwork_reconcile_checked_total",
        )
        self.checked = declare.counter(
            "clerkwork_reconcile_checked_total",
            "What was compared with Clerk.",
            unit="rows",
            labels={"resource": _RESOURCES},
        )
        self.runs = declare.counter(
            "clerkwork_reconcile_runs_total",
            "Comparisons with Clerk by how they ended.",
            unit="runs",
            labels={"outcome": RUN_ENDS},
        )
        self.finished = declare.gauge(
            "clerkwork_reconcile_finished_timestamp_seconds",
            "When a comparison was last brought to an end, 0 before the first.",
            guards=Promise.RECONCILED,
        )
        self.seconds = declare.gauge(
            "clerkwork_reconcile_duration_seconds", "How long the last one took."
        )
