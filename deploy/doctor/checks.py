"""Every check, in the order in which it is told."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from deploy.doctor.access import check_access
from deploy.doctor.applied import check_applied
from deploy.doctor.arrivals import check_arrivals
from deploy.doctor.broker import check_disks, check_kafka_clock, check_version
from deploy.doctor.environment import check_environment
from deploy.doctor.examine import Check
from deploy.doctor.groups import check_other_groups, check_workers
from deploy.doctor.kafka import check_kafka, check_replication, check_topics
from deploy.doctor.keys import (
    check_api_key,
    check_clerk_clock,
    check_public_keys,
    check_signing_secret,
)
from deploy.doctor.limits import check_limits
from deploy.doctor.postgres import (
    check_checkpoints,
    check_ledger,
    check_letters,
    check_postgres,
    check_postgres_clock,
    check_relay,
    check_revision,
    check_stops,
    check_sweep,
)
from deploy.doctor.processes import PLACES, check_process
from deploy.doctor.redis import check_redis
from deploy.doctor.server import (
    check_age,
    check_connections,
    check_settings,
    check_size,
    check_slots,
    check_statistics,
)
from deploy.reference.settings import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from deploy.doctor.verdict import Verdict

    Look = Callable[[], Awaitable[Verdict]]

RECONCILE_WITHIN: Final = timedelta(days=2)
"""What webhooks did not bring is found by nothing else."""

GROUPS: Final[Mapping[str, Mapping[str, Look]]] = {
    "environment": {
        f"settings of {name}": partial(check_environment, settings)
        for name, settings in PROCESSES.items()
    },
    "Kafka": {
        "Kafka": check_kafka,
        "Kafka's version": check_version,
        "topics": check_topics,
        "topic limits": check_limits,
        "replication": check_replication,
        "rights": check_access,
        "clock and Kafka's": check_kafka_clock,
        "Kafka's disks": check_disks,
    },
    "PostgreSQL": {
        "PostgreSQL": check_postgres,
        "PostgreSQL's settings": check_settings,
        "connections": check_connections,
        "clock and PostgreSQL's": check_postgres_clock,
        "checkpoints": check_checkpoints,
        "transaction ids": check_age,
        "statistics": check_statistics,
        "replication slots": check_slots,
        "PostgreSQL's disk": check_size,
        "migrations": check_revision,
        "ledger": check_ledger,
    },
    "Clerk": {
        "signing secret": check_signing_secret,
        "public keys": check_public_keys,
        "Clerk's API": check_api_key,
        "clock and Clerk's": check_clerk_clock,
        "last webhook": check_arrivals,
        "backfill": partial(check_sweep, "backfill", within=None),
        "reconcile": partial(check_sweep, "reconcile", within=RECONCILE_WITHIN),
    },
    "processes": {
        **{f"{name} here": partial(check_process, place) for name, place in PLACES.items()},
        "Redis": check_redis,
        "workers": check_workers,
        "applied offsets": check_applied,
        "other groups": check_other_groups,
        "relay": check_relay,
        "line": check_stops,
        "dead letters": check_letters,
    },
}
"""Group -> what is looked at, by the name that it is told under."""

CHECKS: Final = tuple(
    Check(name=name, look=look, group=group)
    for group, checks in GROUPS.items()
    for name, look in checks.items()
)
"""What the doctor looks at."""
