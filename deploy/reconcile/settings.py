"""What reconcile reads from the environment."""

from __future__ import annotations

from pydantic import Field

from schema.clerk.settings import ClerkSettings
from schema.ops.settings import DatabaseSettings, KafkaSettings


class ReconcileSettings(KafkaSettings, DatabaseSettings, ClerkSettings):
    """Settings of `clerkwork reconcile`."""

    clerk_instance_id: str | None = Field(
        None, description="`ins_…`; events of any other instance are quarantined"
    )
    reconcile_metrics_host: str = Field("127.0.0.1", description="address of probes and metrics")
    reconcile_metrics_port: int = Field(
        9104, ge=0, le=65535, description="port of probes and metrics, with `--every`"
    )
