"""What a relay reads from the environment."""

from __future__ import annotations

from pydantic import Field

from schema.ops.settings import DatabaseSettings, KafkaSettings, SharedSettings


class RelaySettings(KafkaSettings, DatabaseSettings, SharedSettings):
    """Settings of `clerkwork relay`."""

    relay_batch_size: int = Field(
        2000, ge=1, le=10_000, description="most changes published in one Kafka transaction"
    )
    relay_metrics_host: str = Field("127.0.0.1", description="address of probes and metrics")
    relay_metrics_port: int = Field(9102, ge=0, le=65535, description="port of probes and metrics")
