"""What ingest reads from the environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from ingest.verify import build_webhooks
from schema.http.limits.rules import parse_rules
from schema.http.settings import HttpSettings
from schema.http.tokens.settings import TokenSettings
from schema.ops.settings import KafkaSettings, split_commas


class IngestSettings(KafkaSettings, TokenSettings, HttpSettings):
    """Settings of `clerkwork ingest`; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    ingest_host: str = Field("127.0.0.1", description="address to listen on")
    ingest_port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    ingest_publish_timeout_ms: int = Field(
        5000,
        ge=100,
        le=12_000,
        description="how long a webhook or a command may wait for Kafka before it is answered"
        " 503; Svix gives up after 15 s",
    )
    ingest_max_in_flight: int = Field(
        1000,
        ge=1,
        description="webhooks and commands waiting for Kafka at once; beyond it the answer is 503",
    )
    ingest_forgeries_per_minute: int = Field(
        60,
        ge=1,
        description="rejected webhooks per source address and minute before 429; a source that"
        " also sends rightly signed ones is never throttled",
    )
    ingest_rate_limits: str = Field(
        "*=3000/minute/ip, *=300/minute/user",
        description="endpoint=count/window/scope, comma-separated; endpoints by their operationId"
        " in `/v1/openapi.json`, `*` for all others together; window: second, minute, hour, day;"
        " scope: ip, user, organization; `off` for none. Webhooks are never among them",
    )
    clerk_webhook_signing_secret: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(split_commas)
    ] = Field(min_length=1, description="`whsec_…`; several, comma-separated, during a rotation")
    clerk_instance_id: str | None = Field(
        None, description="`ins_…`; events of any other instance are quarantined"
    )

    @field_validator("clerk_webhook_signing_secret")
    @classmethod
    def _check_secrets(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        build_webhooks([secret.get_secret_value() for secret in secrets])
        return secrets

    @field_validator("ingest_rate_limits")
    @classmethod
    def _check_limits(cls, value: str) -> str:
        parse_rules(value)
        return value
