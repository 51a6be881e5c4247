"""What reconcile reads from the environment."""

from __future__ import annotations

from pydantic import Field

from deploy.clerk.settings import SidesSettings


class ReconcileSettings(SidesSettings):
    """Settings of `clerkwork reconcile`."""

    reconcile_metrics_host: str = Field("127.0.0.1", description="address of probes and metrics")
    reconcile_metrics_port: int = Field(
        9104, ge=0, le=65535, description="port of probes and metrics, with `--every`"
    )
