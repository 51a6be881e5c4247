"""What workers count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from schema.kafka.topics import DESK_GROUP, GROUP, RETRY_DELAYS, SOURCES, retry_group
from schema.ops.metrics.declare import SECONDS, Bound, Declare
from schema.ops.metrics.promises import Promise
from schema.postgres.rows import DeadLettersState, EventsOutcome, SessionsStatus

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from schema.ops.metrics.declare import Labels


OUTCOMES: Final[tuple[str, ...]] = get_args(EventsOutcome)
"""What can become of an event: the outcomes that the ledger knows."""

SESSION_STATUSES: Final[tuple[str, ...]] = get_args(SessionsStatus)
"""Every status that a session can have."""

LETTER_STATES: Final[tuple[str, ...]] = get_args(DeadLettersState)
"""Every state that a dead letter can have."""

LOOP_STEPS: Final = ("fetch", "decode", "apply", "park", "commit", "wait")
"""Where the time of a consumer's loop goes; `wait`: in place, until an outage is over."""

GROUPS: Final = (GROUP, DESK_GROUP, *(retry_group(delay) for delay in RETRY_DELAYS))
"""The consumer groups of a worker."""

WAIT_KINDS: Final = ("outage", "conflict", "configuration", "line_stopped")
"""What can make a batch wait in place."""


class _EventMetrics:
    """What becomes of events, and how soon."""

    def __init__(self, declare: Declare) -> None:
        self.events = declare.counter(
            "clerkwork_events_total",
            "Events by what became of them, deliveries counted each.",
            unit="events",
            labels={"outcome": OUTCOMES},
            guards=Promise.TRACED,
        )
        self.batch_events = declare.histogram(
            "clerkwork_batch_events",
            "Events in a batch.",
            unit="events",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        )
        self.apply_seconds = declare.histogram(
            "clerkwork_apply_seconds", "From the start of a batch's transaction to its commit."
        )
        self.freshness_seconds = declare.histogram(
            "clerkwork_freshness_seconds",
            "From ingest's acceptance of an event to the commit of its rows.",
            buckets=(*SECONDS, 60.0, 300.0, 1800.0),
            guards=Promise.CRASH,
        )
        self.indexed = declare.counter(
            "clerkwork_dead_letters_indexed_total",
            "Dead letters that were put into the index.",
            unit="letters",
            guards=Promise.DEAD_LETTERS,
        )


class _LoopMetrics:
    """Where the consumer's time goes, and how far behind it is."""

    def __init__(self, declare: Declare) -> None:
        places: Labels = {
            "topic": tuple(topic.name for topic in SOURCES),
            "partition": Bound("a partition that is this worker's", 12),
        }
        self.loop_seconds = declare.counter(
            "clerkwork_loop_seconds_total",
            "Where the time of the consumer's loop went: the steps sum to the time that passed."
            " What several batches do at once shares it.",
            labels={"step": LOOP_STEPS},
            guards=Promise.SICK_DATABASE,
        )
        self.commit_seconds = declare.histogram(
            "clerkwork_commit_seconds", "Commits of consumer offsets, confirmed or not."
        )
        self.lag_records = declare.gauge(
            "clerkwork_lag_records",
            "Records of a partition that are not applied, as its owner knows.",
            unit="records",
            labels=places,
        )
        self.lag_seconds = declare.gauge(
            "clerkwork_lag_seconds",
            "Age of the partition's oldest record that is not applied, 0 where there is none.",
            labels=places,
            guards=Promise.CRASH,
        )


class _WaitMetrics:
    """What keeps events from being dealt with."""

    def __init__(self, declare: Declare) -> None:
        self.waiting = declare.gauge(
            "clerkwork_worker_waiting",
            "Batches that wait in place for PostgreSQL, Kafka or an operator.",
            unit="batches",
            guards=Promise.SICK_DATABASE,
        )
        self.waits = declare.counter(
            "clerkwork_worker_waits_total",
            "Attempts on a batch that ended in `not now`, by what was in the way.",
            unit="attempts",
            labels={"kind": WAIT_KINDS},
            guards=Promise.SICK_DATABASE,
        )
        self.line_stopped = declare.gauge(
            "clerkwork_line_stopped",
            "Batches that too many rejects have stopped, until an operator releases them.",
            unit="batches",
            guards=Promise.BAD_DEPLOY,
        )
        self.bugs = declare.counter(
            "clerkwork_worker_bugs_total",
            "Attempts on a batch that ended in an error nobody foresaw.",
            unit="attempts",
            guards=Promise.ONE_BAD,
        )


class _PromiseMetrics:
    """What was looked at, and beside it what should not be there."""

    def __init__(self, declare: Declare) -> None:
        self.offsets_checked = declare.counter(
            "clerkwork_offsets_checked_total",
            "Records looked at for whether any before them was skipped.",
            unit="records",
        )
        self.offsets_skipped = declare.counter(
            "clerkwork_offsets_skipped_total",
            "Offsets between what was applied and what came next: none may be.",
            unit="records",
            guards=Promise.SEEN,
            beside="clerkwork_offsets_checked_total",
        )
        self.order_checked = declare.counter(
            "clerkwork_order_checked_total",
            "Records looked at for whether they come in the order of their partition.",
            unit="records",
        )
        self.order_violations = declare.counter(
            "clerkwork_order_violations_total",
            "Records that came after a later one of their partition: none may.",
            unit="records",
            guards=Promise.SEEN,
            beside="clerkwork_order_checked_total",
        )
        self.uncommitted = declare.gauge(
            "clerkwork_uncommitted_events",
            "Records that are dealt with and whose offsets the broker has not confirmed.",
            unit="records",
            labels={"group": GROUPS},
            guards=Promise.CRASH,
        )
        self.committed = declare.counter(
            "clerkwork_offset_commits_total",
            "Commits of consumer offsets that the broker confirmed.",
            unit="commits",
        )


class _TableMetrics:
    """What is in the database; every worker tells the whole: max over them, not sum."""

    def __init__(self, declare: Declare) -> None:
        self.sessions = declare.gauge(
            "clerkwork_sessions",
            "Sessions in the database by status, as counted each minute by every worker.",
            unit="sessions",
            labels={"status": SESSION_STATUSES},
        )
        self.users_held_back = declare.gauge(
            "clerkwork_users_held_back",
            "Deleted users who can still be restored, as counted each minute by every worker.",
            unit="users",
            guards=Promise.ERASED,
        )
        self.dead_letters = declare.gauge(
            "clerkwork_dead_letters",
            "Dead letters by state, as counted each minute by every worker.",
            unit="letters",
            labels={"state": LETTER_STATES},
            guards=Promise.DEAD_LETTERS,
        )
        self.dead_letter_oldest_seconds = declare.gauge(
            "clerkwork_dead_letter_oldest_seconds",
            "Age of the oldest dead letter that waits for an operator, 0 where none does; as"
            " looked up each minute by every worker.",
            guards=Promise.DEAD_LETTERS,
        )
        self.line_stops = declare.gauge(
            "clerkwork_line_stops",
            "Partitions that are stopped, as counted each minute by every worker.",
            unit="partitions",
            guards=Promise.BAD_DEPLOY,
        )
        self.ledger_months_ahead = declare.gauge(
            "clerkwork_ledger_months_ahead",
            "Months after this one that the ledger has partitions for, without a gap, as counted"
            " each minute by every worker.",
            unit="months",
            guards=Promise.TRACED,
        )


class WorkerMetrics(_EventMetrics, _LoopMetrics, _WaitMetrics, _PromiseMetrics, _TableMetrics):
    """What a worker counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        declare = Declare(registry)
        for part in (_EventMetrics, _LoopMetrics, _WaitMetrics, _PromiseMetrics, _TableMetrics):
            part.__init__(self, declare)
