"""The walk of an event, station by station: how much, what goes wrong, how long, how full."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panel import Dashboard
from deploy.grafana.processes import PROCESSES
from deploy.grafana.stations import API, GLANCE, INGEST, KAFKA, POSTGRES, RELAY
from deploy.grafana.workers import LETTERS, WORKERS

WALK: Final = Dashboard(
    uid="clerkwork-walk",
    title="clerkwork: the walk",
    says="From Clerk's webhook to the API, in the order in which an event passes: each row says how"
    " much, what goes wrong, how long it takes, how full it is.",
    rows=(GLANCE, INGEST, KAFKA, WORKERS, LETTERS, POSTGRES, RELAY, API, PROCESSES),
    links={"Promises": "clerkwork-promises"},
)
