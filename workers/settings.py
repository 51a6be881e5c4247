"""What a worker reads from the environment."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from schema.ops.settings import DatabaseSettings, KafkaSettings, SharedSettings


def _read_seconds(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Duration = Annotated[timedelta, BeforeValidator(_read_seconds)]
"""Seconds, or ISO 8601 such as `P7D`."""


class WorkerSettings(KafkaSettings, DatabaseSettings, SharedSettings):
    """Settings of `clerkwork worker`."""

    worker_batch_size: int = Field(
        500, ge=1, le=5000, description="most events applied in one transaction"
    )
    worker_instance_id: str | None = Field(
        None,
        description="a name of its own for each worker, kept over restarts (Kafka's static"
        " membership): a restarted worker takes its partitions back at once",
    )
    worker_reject_run: int = Field(
        100, ge=1, description="rejects one after the other that stop a partition's line"
    )
    worker_reject_ratio: float = Field(
        0.5, gt=0, le=1, description="share of rejects among the latest 1000 events that stops it"
    )
    worker_history_limit: int = Field(
        50, ge=1, le=1000, description="most entries of `login_history` and `name_history`"
    )
    clerkwork_erase_after: Duration = Field(
        timedelta(0),
        ge=timedelta(0),
        le=timedelta(days=90),
        description="how long a deleted user's data is held back, hidden, for `clerkwork restore`:"
        " seconds, or ISO 8601 such as `P7D`; then `clerkwork maintain` erases it",
    )
    worker_metrics_host: str = Field("127.0.0.1", description="address of probes and metrics")
    worker_metrics_port: int = Field(9101, ge=0, le=65535, description="port of probes and metrics")
