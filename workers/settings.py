"""What a worker reads from the environment."""

from __future__ import annotations

from pydantic import Field

from schema.ops.settings import DatabaseSettings, KafkaSettings


class WorkerSettings(KafkaSettings, DatabaseSettings):
    """Settings of `clerkwork worker`."""

    worker_batch_size: int = Field(
        500, ge=1, le=5000, description="most events applied in one transaction"
    )
    worker_instance_id: str | None = Field(
        None,
        description="a name of its own for each worker, kept over restarts (Kafka's static"
        " membership): a restarted worker takes its partitions back at once; after a crash of"
        " the broker itself, though, such a worker can be slow until it is restarted",
    )
    worker_metrics_host: str = Field("127.0.0.1", description="address of probes and metrics")
    worker_metrics_port: int = Field(9101, ge=0, le=65535, description="port of probes and metrics")
