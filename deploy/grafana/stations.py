"""Ingest, Kafka, PostgreSQL, the relay and the API."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panel import Limit, Panel, Row, Unit
from deploy.grafana.processes import cpu

_ASKED: Final = 'route!~"/livez|/readyz|/metrics"'
"""What somebody asks for, not whether a process lives."""
_FAILED: Final = ', status="5xx"'


def _requests(job: str, matchers: str) -> str:
    chosen = f'job="clerkwork-{job}", {_ASKED}{matchers}'
    return f"rate(clerkwork_http_request_seconds_count{{{chosen}}}[5m])"


GLANCE: Final = Row(
    title="At a glance",
    panels=(
        Panel(
            title="Webhooks kept",
            says="Genuine webhooks that were answered 2xx, a second.",
            unit=Unit.PER_SECOND,
            queries={"kept": 'sum(clerkwork:webhooks:rate5m{answer="accepted"})'},
            kind="number",
        ),
        Panel(
            title="Oldest event that waits",
            says="Age of the oldest record that no worker has applied yet, 0 where none waits.",
            unit=Unit.SECONDS,
            queries={"age": "max(clerkwork_lag_seconds)"},
            kind="number",
            limits=(Limit("ClerkworkLagOld", 60, "page"),),
        ),
        Panel(
            title="Freshness, p95",
            says="From ingest's acceptance to the commit of the rows: 19 of 20 events are faster.",
            unit=Unit.SECONDS,
            queries={"p95": "clerkwork:freshness_seconds:p95"},
            kind="number",
            limits=(Limit("ClerkworkNotFresh", 5, "page"),),
        ),
        Panel(
            title="Oldest change that waits",
            says="How long the oldest change that is not on its topic has been waiting.",
            unit=Unit.SECONDS,
            queries={"age": "max(clerkwork_relay_lag_seconds)"},
            kind="number",
            limits=(Limit("ClerkworkRelayBehind", 60, "page"),),
        ),
    ),
)

INGEST: Final = Row(
    title="1 Ingest: what Clerk sends is verified",
    panels=(
        Panel(
            title="Kept",
            says="Webhooks and commands that were answered 2xx; quarantined ones were signed, and"
            " could not be read.",
            unit=Unit.PER_SECOND,
            queries={
                "webhooks {{answer}}": 'clerkwork:webhooks:rate5m{answer=~"accepted|quarantined"}',
                "commands {{answer}}": "sum by (answer) ("
                'clerkwork:commands:rate5m{answer=~"accepted|repeated"})',
            },
            kind="stack",
            alerts=("ClerkworkQuarantined", "ClerkworkNoWebhooks"),
        ),
        Panel(
            title="Turned away",
            says="Webhooks by why they were not kept. Signatures that do not fit are somebody at"
            " the door, or a secret that was rotated; times that do not fit are a clock.",
            unit=Unit.PER_SECOND,
            queries={"{{answer}}": 'clerkwork:webhooks:rate5m{answer!~"accepted|quarantined"} > 0'},
            limits=(Limit("ClerkworkForgeries", 1, "ticket"),),
            alerts=("ClerkworkSecretWrong", "ClerkworkClockOff", "ClerkworkIngestFails"),
        ),
        Panel(
            title="Until it is safe",
            says="99 of 100 are faster: from handing a record to the producer to Kafka's"
            " acknowledgement, and the whole request. Clerk gives up after 15 s.",
            unit=Unit.SECONDS,
            queries={
                "Kafka, p99": "clerkwork:publish_seconds:p99",
                "request, p99": 'clerkwork:http_request_seconds:p99{job="clerkwork-ingest"}',
            },
            limits=(Limit("ClerkworkIngestSlow", 1, "ticket"),),
        ),
        cpu("clerkwork-ingest"),
    ),
)

KAFKA: Final = Row(
    title="2 Kafka: what is kept waits to be applied",
    panels=(
        Panel(
            title="Acknowledged",
            says="Records that Kafka has acknowledged: events and commands of ingest, changes of"
            " the relay.",
            unit=Unit.PER_SECOND,
            queries={
                "from ingest": "sum(rate(clerkwork_publish_seconds_count[5m]))",
                "from the relay": "sum(clerkwork:changes_published:rate5m)",
            },
        ),
        Panel(
            title="Not asked",
            says="Yes while ingest refuses at once because Kafka did not answer.",
            unit=Unit.YES_NO,
            queries={"{{job}}": 'max by (job) (clerkwork_breaker_open{breaker="kafka"})'},
            limits=(Limit("ClerkworkKafkaAway", 1, "page"),),
        ),
        Panel(
            title="Age of the oldest that waits",
            says="By topic: the oldest record that is not applied. An age says how late events"
            " are; a count does not.",
            unit=Unit.SECONDS,
            queries={"{{topic}}": "max by (topic) (clerkwork_lag_seconds)"},
            limits=(Limit("ClerkworkLagOld", 60, "page"),),
        ),
        Panel(
            title="Records that wait",
            says="By topic: records that are not applied, as the owners of partitions know.",
            unit=Unit.COUNT,
            queries={"{{topic}}": "sum by (topic) (clerkwork_lag_records)"},
            alerts=("ClerkworkLagOld",),
        ),
    ),
)

POSTGRES: Final = Row(
    title="4 PostgreSQL: rows and outbox in one transaction",
    panels=(
        Panel(
            title="Asked",
            says="Batches that workers applied, each a transaction, and statements of the API.",
            unit=Unit.PER_SECOND,
            queries={
                "batches": "sum(rate(clerkwork_apply_seconds_count[5m]))",
                "statements": "sum(rate(clerkwork_query_seconds_count[5m]))",
            },
        ),
        Panel(
            title="Not now",
            says="Attempts on a batch that were put off, by what was in the way, statements that"
            " the API had to send again, and whether it has stopped asking.",
            unit=Unit.PER_SECOND,
            queries={
                "{{kind}}": "sum by (kind) (rate(clerkwork_worker_waits_total[5m]))",
                "sent again": "sum(rate(clerkwork_reads_repeated_total[5m]))",
            },
            alerts=("ClerkworkDatabaseAway", "ClerkworkDatabaseMisconfigured"),
        ),
        Panel(
            title="Slowest statements, p99",
            says="The five of the API's statements that take longest, and a batch of a worker.",
            unit=Unit.SECONDS,
            queries={
                "{{statement}}": "topk(5, clerkwork:query_seconds:p99)",
                "a batch": "clerkwork:apply_seconds:p99",
            },
            limits=(Limit("ClerkworkQueriesSlow", 0.5, "ticket"),),
        ),
        Panel(
            title="Waits for a connection, p95",
            says="19 of 20 requests of the API wait less for a connection.",
            unit=Unit.SECONDS,
            queries={"p95": "clerkwork:connection_wait_seconds:p95"},
            limits=(Limit("ClerkworkConnectionsShort", 0.5, "ticket"),),
        ),
    ),
)

RELAY: Final = Row(
    title="5 Relay: every change is told, in order",
    panels=(
        Panel(
            title="Told",
            says="Changes that Kafka has acknowledged, by topic.",
            unit=Unit.PER_SECOND,
            queries={"{{topic}}": "clerkwork:changes_published:rate5m"},
            kind="stack",
        ),
        Panel(
            title="Terms that ended, in 15 minutes",
            says="Terms as the active relay, or attempts at one, by what ended them. A few at a"
            " restart are as it should be.",
            unit=Unit.COUNT,
            queries={
                "{{kind}}": "sum by (kind) (increase(clerkwork_relay_terms_ended_total[15m]))"
            },
            limits=(Limit("ClerkworkRelayTermsEnd", 5, "ticket"),),
        ),
        Panel(
            title="Age of the oldest change that waits",
            says="In the outbox, and from a change's commit to Kafka's acknowledgement.",
            unit=Unit.SECONDS,
            queries={
                "oldest": "max(clerkwork_relay_lag_seconds)",
                "told, p99": "clerkwork:change_publish_seconds:p99",
            },
            limits=(Limit("ClerkworkRelayBehind", 60, "page"),),
        ),
        Panel(
            title="Changes that wait, and who tells them",
            says="Changes that are not on their topics yet, counted up to 100 000, and relays that"
            " publish: one, and no other.",
            unit=Unit.COUNT,
            queries={
                "changes": "max(clerkwork_relay_pending_changes)",
                "active relays": "sum(clerkwork_relay_active)",
            },
            alerts=("ClerkworkNoActiveRelay", "ClerkworkTwoActiveRelays"),
        ),
    ),
)

API: Final = Row(
    title="6 API: who has written reads it",
    panels=(
        Panel(
            title="Answers",
            says="By class of status, without probes.",
            unit=Unit.PER_SECOND,
            queries={"{{status}}": f"sum by (status) ({_requests('api', '')})"},
            kind="stack",
        ),
        Panel(
            title="Answers that are 5xx",
            says="Their share of all answers.",
            unit=Unit.SHARE,
            queries={
                "5xx": f"(sum({_requests('api', _FAILED)}) or vector(0))"
                f" / (sum({_requests('api', '')}) > 0)"
            },
            limits=(Limit("ClerkworkApiErrors", 0.01, "page"),),
        ),
        Panel(
            title="Until the answer, p99",
            says="99 of 100 requests are faster; streams of changes count until they end.",
            unit=Unit.SECONDS,
            queries={"p99": 'clerkwork:http_request_seconds:p99{job="clerkwork-api"}'},
        ),
        cpu("clerkwork-api"),
        Panel(
            title="Not let in",
            says="Requests without a session that counts, by why. Expired tokens are everyday.",
            unit=Unit.PER_SECOND,
            queries={
                "{{reason}}": "sum by (reason) (rate(clerkwork_sign_ins_refused_total[5m])) > 0"
            },
            alerts=("ClerkworkKeysUnavailable",),
        ),
        Panel(
            title="New users, and waits for one's own writes",
            says="Requests of users who were not here yet, by what came of asking Clerk, and those"
            " that waited for a version in vain.",
            unit=Unit.PER_SECOND,
            queries={
                "{{outcome}}": "sum by (outcome) (rate(clerkwork_newcomers_total[5m])) > 0",
                "version not reached": "sum(rate("
                'clerkwork_version_waits_total{outcome="not_reached"}[5m]))',
            },
            alerts=("ClerkworkNewcomersWait", "ClerkworkClerkAway", "ClerkworkWritesNotSeen"),
        ),
        Panel(
            title="Reads that the cache answered",
            says="Share of what may be cached that needed no statement.",
            unit=Unit.SHARE,
            queries={
                "hits": 'sum(rate(clerkwork_cache_reads_total{outcome="hit"}[5m]))'
                " / (sum(rate(clerkwork_cache_reads_total[5m])) > 0)"
            },
            alerts=("ClerkworkCacheBlind",),
        ),
        Panel(
            title="Streams of changes",
            says="Streams that are open, and how many ended in 5 minutes for a fault of ours.",
            unit=Unit.COUNT,
            queries={
                "open": "sum(clerkwork_change_streams)",
                "{{reason}}": "sum by (reason) (increase(clerkwork_change_streams_ended_total"
                '{reason=~"internal_error|database_unavailable"}[5m])) > 0',
            },
            alerts=("ClerkworkStreamsBreak",),
        ),
    ),
)
