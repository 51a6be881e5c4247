"""What the canary reads from the environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, field_validator
from pydantic_settings import NoDecode

from ingest.verify import build_webhooks
from schema.ops.settings import KafkaSettings, split_commas


class CanarySettings(KafkaSettings):
    """Settings of `clerkwork canary`."""

    canary_ingest_url: HttpUrl = Field(
        HttpUrl("http://127.0.0.1:8080/webhooks/clerk"), description="where webhooks are posted to"
    )
    canary_api_url: HttpUrl = Field(
        HttpUrl("http://127.0.0.1:8081"), description="where the API begins"
    )
    canary_name: str = Field(
        "1",
        pattern=r"^[a-z0-9-]{1,40}$",
        description="part of its users' ids; of its own for each canary",
    )
    canary_every_s: float = Field(
        15.0, ge=1, le=3600, description="seconds from the start of a flight to the next"
    )
    canary_timeout_s: float = Field(
        10.0, ge=1, le=300, description="seconds after which a flight is lost"
    )
    clerk_webhook_signing_secret: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(split_commas)
    ] = Field(min_length=1, description="`whsec_…`; several, comma-separated, during a rotation")
    clerk_instance_id: str | None = Field(
        None, description="`ins_…`; events of any other instance are quarantined"
    )
    canary_metrics_host: str = Field("127.0.0.1", description="address of probes and metrics")
    canary_metrics_port: int = Field(9103, ge=0, le=65535, description="port of probes and metrics")

    @field_validator("clerk_webhook_signing_secret")
    @classmethod
    def _check_secrets(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        build_webhooks([secret.get_secret_value() for secret in secrets])
        return secrets
