"""What is promised: objectives and their budgets, what should not be, the canary, each promise."""

from __future__ import annotations

from typing import Final, Literal

from deploy.grafana.guards import GUARDS
from deploy.grafana.panel import Dashboard, Limit, Panel, Row, Unit
from schema.ops.metrics import catalogue


def _objective(title: str, *, name: str, series: str, allowed: float, says: str) -> Row:
    """Return the panels of an objective: what is left, how fast it goes, what is wrong now."""
    alert, slow = f"Clerkwork{name}", _SLOW[name]
    burnt = f"clerkwork:{series}:ratio{{}} / {allowed}"
    return Row(
        title=title,
        panels=(
            Panel(
                title="Budget left, of 30 days",
                says=f"{says} What of this may still go wrong this month: 0 and below is a promise"
                " that was not kept.",
                unit=Unit.SHARE,
                queries={"left": f"clerkwork:{_BUDGETS[name]}:budget_left30d"},
                limits=(Limit(None, 0, "page", below=True),),
                alerts=(slow,),
            ),
            Panel(
                title="Burn rate",
                says="How many times as fast as it may the budget is being used up: at 1 a month's"
                " lasts a month, at 14.4 two days, at 6 five.",
                unit=Unit.TIMES,
                queries={
                    "1 hour": burnt.format("1h"),
                    "6 hours": burnt.format("6h"),
                    "3 days": burnt.format("3d"),
                },
                limits=(
                    Limit(slow, 1, "ticket"),
                    Limit(alert, 6, "page"),
                    Limit(alert, 14.4, "page"),
                ),
            ),
            Panel(
                title="Share that was not as promised",
                says=f"{says} Over 5 minutes, an hour and a day.",
                unit=Unit.SHARE,
                queries={
                    "5 minutes": f"clerkwork:{series}:ratio5m",
                    "1 hour": f"clerkwork:{series}:ratio1h",
                    "1 day": f"clerkwork:{series}:ratio1d",
                },
                alerts=(alert,),
            ),
        ),
    )


_SLOW: Final = {
    "NotFresh": "ClerkworkFreshnessBudgetShrinks",
    "IngestFails": "ClerkworkIngestBudgetShrinks",
}
_BUDGETS: Final = {"NotFresh": "freshness", "IngestFails": "ingest"}

_PAIRS: Final = {
    "clerkwork_offsets_skipped_total": ("Offsets skipped", "ClerkworkOffsetsSkipped"),
    "clerkwork_order_violations_total": ("Order of events", "ClerkworkOrderViolated"),
    "clerkwork_change_order_violations_total": ("Order of changes", "ClerkworkChangeOrderViolated"),
    "clerkwork_canary_lost_total": ("Canaries lost", "ClerkworkCanaryLost"),
    "clerkwork_reconcile_found_total": ("Differences from Clerk", "ClerkworkDriftFound"),
}
"""What should not be -> its title, and the alert that tells of it."""


def _pairs() -> tuple[Panel, ...]:
    """Return what should not be beside what was looked at, for all of the catalogue."""
    metrics = {metric.name: metric for each in catalogue().values() for metric in each}
    return tuple(
        Panel(
            title=_PAIRS[metric.name][0],
            says=f"{metric.meaning} Within the time shown, beside what was looked at: none of none"
            " proves nothing.",
            unit=Unit.COUNT,
            queries={
                "violated": f"ceil(sum(increase({metric.name}[$__range])))",
                "checked": f"ceil(sum(increase({metric.beside}[$__range])))",
            },
            kind="pair",
            alerts=(_PAIRS[metric.name][1], "ClerkworkNothingChecked"),
            columns=8,
        )
        for metric in metrics.values()
        if metric.beside
    )


def _age(name: str, *, of: str) -> str:
    """Return how long ago something was, or its process began where it never was."""
    began = f'process_start_time_seconds{{job="clerkwork-{of}"}}'
    return f"time() - max({name} > 0 or on (job, instance, process) {began})"


def _seen(
    title: str, metric: str, *, of: str, limit: tuple[str, int, Literal["page", "ticket"]]
) -> Panel:
    return Panel(
        title=title,
        says="How long ago; since its process began, where it never was.",
        unit=Unit.SECONDS,
        queries={"ago": _age(metric, of=of)},
        limits=(Limit(*limit),),
    )


_CANARY: Final = Row(
    title="Canary: one event of ours goes the whole way, again and again",
    panels=(
        _seen(
            "Last seen in the API",
            'clerkwork_canary_seen_timestamp_seconds{at="api"}',
            of="canary",
            limit=("ClerkworkCanarySilent", 300, "page"),
        ),
        Panel(
            title="Until it was seen",
            says="From the post of a canary until it was there: half, and 99 of 100, are faster.",
            unit=Unit.SECONDS,
            queries={
                "{{at}}, p50": "clerkwork:canary_seconds:p50",
                "{{at}}, p99": "clerkwork:canary_seconds:p99",
            },
        ),
        Panel(
            title="Lost, in 5 minutes",
            says="Canaries that did not arrive in time, by the first place where they were missed.",
            unit=Unit.COUNT,
            queries={"{{at}}": "sum by (at) (increase(clerkwork_canary_lost_total[5m]))"},
            limits=(Limit("ClerkworkCanaryLost", 2.5, "page"),),
        ),
    ),
)

_TRUTH: Final = Row(
    title="Truth: the tables are what Clerk has",
    panels=(
        _seen(
            "Last webhook",
            "clerkwork_webhook_last_timestamp_seconds",
            of="ingest",
            limit=("ClerkworkNoWebhooks", 6 * 3600, "ticket"),
        ),
        _seen(
            "Last comparison with Clerk",
            "clerkwork_reconcile_finished_timestamp_seconds",
            of="reconcile",
            limit=("ClerkworkReconcileNotRun", 25 * 3600, "ticket"),
        ),
        Panel(
            title="Drift",
            says="What differs from Clerk and was left so by the last comparison. Restored users"
            " are there on purpose.",
            unit=Unit.COUNT,
            queries={"{{resource}} {{kind}}": "max by (resource, kind) (clerkwork_drift) > 0"},
            alerts=("ClerkworkDriftFound", "ClerkworkReconcileRefused"),
        ),
    ),
)


def _kept() -> tuple[Panel, ...]:
    """Return a panel for each promise that alerts guard: whether one of them fires."""
    return tuple(
        Panel(
            title=promise,
            says=f"Kept, as far as can be seen: none of {', '.join(alerts)} fires.",
            unit=Unit.KEPT,
            queries={
                "alerts": f'sum(ALERTS{{alertname=~"{"|".join(alerts)}", alertstate="firing"}})'
                " or vector(0)"
            },
            kind="number",
            limits=(Limit(None, 1, "page"),),
            alerts=alerts,
            columns=6,
        )
        for promise, alerts in GUARDS.items()
    )


PROMISES: Final = Dashboard(
    uid="clerkwork-promises",
    title="clerkwork: promises",
    says="Whether what the README promises is kept: two objectives and their budgets, what should"
    " not be beside what was looked at, the canary, drift, and every promise with its alerts.",
    rows=(
        Row(title="Promises, by their alerts", panels=_kept()),
        _objective(
            "Freshness: 99 % of events are applied within 5 s",
            name="NotFresh",
            series="freshness_late",
            allowed=0.01,
            says="Events that were applied later than 5 s after ingest accepted them: 1 % may be.",
        ),
        _objective(
            "Ingest: 99.9 % of what is genuine is kept",
            name="IngestFails",
            series="ingest_failed",
            allowed=0.001,
            says="Genuine webhooks and commands that were answered 5xx: 0.1 % may be.",
        ),
        Row(title="What should not be, beside what was looked at", panels=_pairs()),
        _CANARY,
        _TRUTH,
    ),
    since="now-24h",
    links={"The walk": "clerkwork-walk"},
)
