"""The workers, and what they could not apply."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panel import Limit, Panel, Row, Unit
from deploy.grafana.processes import cpu

_DAY: Final = 86400

WORKERS: Final = Row(
    title="3 Workers: what waits is applied, in order",
    panels=(
        Panel(
            title="Dealt with",
            says="Events that are applied; stale ones were outrun by a later one, ignored ones are"
            " of no concern here.",
            unit=Unit.PER_SECOND,
            queries={
                "{{outcome}}": 'clerkwork:events:rate5m{outcome=~"applied|stale|ignored"}',
            },
            kind="stack",
            alerts=("ClerkworkNothingChecked",),
        ),
        Panel(
            title="Not applied",
            says="Events that failed: tried again, put among the dead letters, or refused as"
            " commands may be.",
            unit=Unit.PER_SECOND,
            queries={"{{outcome}}": 'clerkwork:events:rate5m{outcome=~"retrying|dead|refused"}'},
            alerts=("ClerkworkRetriesGrow", "ClerkworkBugs"),
        ),
        Panel(
            title="Freshness",
            says="From ingest's acceptance of an event to the commit of its rows; 99 % within 5 s"
            " are promised.",
            unit=Unit.SECONDS,
            queries={
                "p50": "clerkwork:freshness_seconds:p50",
                "p95": "clerkwork:freshness_seconds:p95",
                "p99": "clerkwork:freshness_seconds:p99",
            },
            limits=(Limit("ClerkworkNotFresh", 5, "page"),),
        ),
        Panel(
            title="Where the loop's time goes",
            says="Share of the consumer loops' time by step. Much fetch: they have time left. Much"
            " apply: PostgreSQL is what takes it. Wait: something is away.",
            unit=Unit.SHARE,
            queries={
                "{{step}}": "sum by (step) (clerkwork:loop_share:rate5m)"
                " / scalar(sum(clerkwork:loop_share:rate5m))"
            },
            kind="stack",
        ),
        Panel(
            title="Waiting in place",
            says="Batches that wait for PostgreSQL, Kafka or an operator, and partitions that too"
            " many rejects have stopped.",
            unit=Unit.COUNT,
            queries={
                "batches": "sum(clerkwork_worker_waiting)",
                "batches stopped": "sum(clerkwork_line_stopped)",
                "partitions stopped": "max(clerkwork_line_stops)",
            },
            alerts=("ClerkworkWorkerWaits", "ClerkworkLineStopped"),
        ),
        Panel(
            title="Not confirmed",
            says="Records that are dealt with and whose offsets Kafka has not confirmed: after a"
            " crash they are read again.",
            unit=Unit.COUNT,
            queries={"{{group}}": "sum by (group) (clerkwork_uncommitted_events)"},
            alerts=("ClerkworkCommitsFail",),
        ),
        Panel(
            title="Until an offset is confirmed, p99",
            says="99 of 100 commits of consumer offsets are faster.",
            unit=Unit.SECONDS,
            queries={"p99": "clerkwork:commit_seconds:p99"},
        ),
        cpu("clerkwork-worker"),
    ),
)

LETTERS: Final = Row(
    title="Dead letters: what could not be applied waits for somebody",
    panels=(
        Panel(
            title="By state",
            says="Dead letters as PostgreSQL has them; open and parked ones wait for somebody.",
            unit=Unit.COUNT,
            queries={"{{state}}": "max by (state) (clerkwork_dead_letters)"},
            kind="stack",
            alerts=("ClerkworkDeadLettersWaiting",),
        ),
        Panel(
            title="Oldest that waits",
            says="Kafka keeps it for 90 days; 0 where none waits.",
            unit=Unit.SECONDS,
            queries={"age": "max(clerkwork_dead_letter_oldest_seconds)"},
            limits=(Limit("ClerkworkDeadLettersExpire", 75 * _DAY, "ticket"),),
        ),
        Panel(
            title="Ledger's months ahead",
            says="Months to come that the ledger has partitions for: without one, nothing of that"
            " month is applied.",
            unit=Unit.MONTHS,
            queries={"months": "max(clerkwork_ledger_months_ahead)"},
            limits=(Limit("ClerkworkLedgerMonthsShort", 2, "ticket", below=True),),
        ),
    ),
)
