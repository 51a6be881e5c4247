"""Every check, in the order in which it is told."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from deploy.doctor.arrivals import check_arrivals
from deploy.doctor.environment import check_environment
from deploy.doctor.examine import Check
from deploy.doctor.kafka import check_kafka, check_replication, check_topics, check_workers
from deploy.doctor.keys import (
    check_api_key,
    check_clerk_clock,
    check_public_keys,
    check_signing_secret,
)
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
from deploy.document import PROCESSES

RECONCILE_WITHIN: Final = timedelta(days=2)
"""What webhooks did not bring is found by nothing else."""

CHECKS: Final = (
    *(
        Check(name=f"settings of {name}", look=partial(check_environment, settings))
        for name, settings in PROCESSES.items()
    ),
    Check(name="Kafka", look=check_kafka),
    Check(name="topics", look=check_topics),
    Check(name="replication", look=check_replication),
    Check(name="PostgreSQL", look=check_postgres),
    Check(name="clock and PostgreSQL's", look=check_postgres_clock),
    Check(name="checkpoints", look=check_checkpoints),
    Check(name="migrations", look=check_revision),
    Check(name="ledger", look=check_ledger),
    Check(name="signing secret", look=check_signing_secret),
    Check(name="public keys", look=check_public_keys),
    Check(name="Clerk's API", look=check_api_key),
    Check(name="clock and Clerk's", look=check_clerk_clock),
    Check(name="workers", look=check_workers),
    Check(name="relay", look=check_relay),
    Check(name="line", look=check_stops),
    Check(name="dead letters", look=check_letters),
    Check(name="last webhook", look=check_arrivals),
    Check(name="backfill", look=partial(check_sweep, "backfill", within=None)),
    Check(name="reconcile", look=partial(check_sweep, "reconcile", within=RECONCILE_WITHIN)),
)
"""What the doctor looks at."""
