"""What the API reads from its environment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from api.cache.rules import parse_rules as parse_cache_rules
from schema.clerk.settings import ClerkAddressSettings, check_secret_key
from schema.http.limits.rules import parse_rules
from schema.http.settings import HttpSettings
from schema.http.tokens.settings import TokenSettings
from schema.ops.settings import (
    DatabaseSettings,
    KafkaAccessSettings,
    KafkaSettings,
    check_addresses,
)

if TYPE_CHECKING:
    from schema.http.tokens.claims import TokenRules


class ApiSettings(
    DatabaseSettings, TokenSettings, HttpSettings, ClerkAddressSettings, KafkaAccessSettings
):
    """What `python -m api` reads; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    api_host: str = Field("127.0.0.1", description="address the API listens on")
    api_port: int = Field(8081, ge=0, le=65535, description="port the API listens on")
    clerk_secret_key: Annotated[SecretStr, AfterValidator(check_secret_key)] | None = Field(
        None,
        description="`sk_live_…` or `sk_test_…`, from Clerk's dashboard, API keys. With it the API"
        " asks Clerk once for a signed-in user who is not here yet, and publishes the answer; it"
        " needs Kafka then",
    )
    api_clerk_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="which share of the requests that Clerk allows the instance (1000 in 10 s with"
        " `sk_live_` keys, 100 with `sk_test_`) each process of the API may use for that",
    )
    kafka_bootstrap_servers: Annotated[str, AfterValidator(check_addresses)] | None = Field(
        None, description="needed with `CLERK_SECRET_KEY` only"
    )
    clerk_machine_tokens: bool = Field(
        default=False,
        description="whether machines' tokens (Clerk's M2M tokens as JWT, with an expiry) may read:"
        " those with the claim `scope` or `scopes` holding `clerkwork:read` see everything, all"
        " others nothing. A session token that you configured to carry that scope sees everything"
        " too, whatever this says: never fill the claim from metadata that users can write",
    )
    api_pool_min: int = Field(
        0,
        ge=0,
        le=100,
        description="connections to PostgreSQL that are kept open; if it is away at the start, they"
        " are opened as needed",
    )
    api_pool_max: int = Field(
        10,
        ge=1,
        le=100,
        description="connections to PostgreSQL at most, and one more for streams. A read takes"
        " about a millisecond: ten serve thousands of requests a second. All processes together"
        " must stay below PostgreSQL's `max_connections`; more than two or three for each of its"
        " cores make it slower",
    )
    api_acquire_s: float = Field(
        2.0,
        gt=0,
        le=10,
        description="seconds that a request waits for a connection; then it is answered 503",
    )
    api_query_s: float = Field(
        3.0,
        gt=0,
        le=10,
        description="seconds that a statement may take; PostgreSQL itself ends it then, and half a"
        " second later the connection is given up",
    )
    api_slow_query_ms: float = Field(
        200.0, ge=0, description="a statement that takes longer is warned of, by its name"
    )
    api_standing_ttl_s: float = Field(
        1.0,
        ge=0,
        le=5,
        description="seconds for which what a caller may do is not read again; how long a token"
        " works on after a ban or a sign-out that is here already, 0 for not at all",
    )
    api_streams: int = Field(
        500, ge=1, le=10_000, description="streams of changes that may be open at once"
    )
    api_streams_per_user: int = Field(
        10, ge=1, le=10_000, description="streams of changes that one user may have open"
    )
    api_stream_heartbeat_s: float = Field(
        15.0,
        gt=0,
        le=60,
        description="seconds after which a quiet stream says that it is there, and after which"
        " the callers' rights are looked at again",
    )
    api_stream_patience_s: float = Field(
        10.0,
        gt=0,
        le=60,
        description="seconds that a stream's client has to take what it is sent",
    )
    api_stream_buffer: int = Field(
        1000,
        ge=1,
        le=10_000,
        description="changes that wait in memory for each stream; one that gets further behind"
        " reads them from the database",
    )
    api_stream_outage_s: float = Field(
        60.0, ge=0, le=3600, description="seconds that streams outlive a database that is away"
    )
    api_version_waits: int = Field(
        200,
        ge=1,
        le=10_000,
        description="requests that may wait at once for a version or an event",
    )

    api_cache: str = Field(
        "show_user=300s/event, show_post=300s/event, list_posts=60s/event",
        description="which public answers (of `show_user`, `show_post` and the first pages of"
        " `list_posts`) are kept in memory, by the names of endpoints:"
        " `show_*=60s/event, list_*=10s/time, !show_post`; with `event` until what they tell of"
        " changes, and no longer than that",
    )
    api_cache_max_bytes: int = Field(
        64 * 1024 * 1024, ge=0, le=2**40, description="bytes that the cache takes; 0 is no cache"
    )
    api_cache_stale_s: float = Field(
        3600.0,
        ge=0,
        le=86_400,
        description="seconds that a kept answer may be old when PostgreSQL is away; 0 gives none",
    )
    api_cache_warm: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="users whose public profiles are read at the start, and with them the newest"
        " posts; 0 for neither",
    )

    api_rate_limits: str = Field(
        "*=6000/minute/ip, *=1200/minute/user",
        description="endpoint=count/window/scope, comma-separated; endpoints by their operationId"
        " in `/v1/openapi.json`, `*` for all others together; window: second, minute, hour, day;"
        " scope: ip, user, organization; `off` for none",
    )

    @property
    def token_rules(self) -> TokenRules:
        """What a token must say, and whether machines may have one."""
        return replace(super().token_rules, machines=self.clerk_machine_tokens)

    @property
    def kafka(self) -> KafkaSettings:
        """How to reach Kafka, where there is a secret key."""
        return KafkaSettings(**{name: getattr(self, name) for name in KafkaSettings.model_fields})

    @field_validator("api_rate_limits")
    @classmethod
    def _check_limits(cls, value: str) -> str:
        parse_rules(value)
        return value

    @field_validator("api_cache")
    @classmethod
    def _check_rules(cls, value: str) -> str:
        parse_cache_rules(value)
        return value

    @model_validator(mode="after")
    def _check_has_keys(self) -> ApiSettings:
        if not self.has_keys:
            raise ValueError("set exactly one of CLERK_JWT_KEY and CLERK_JWKS_URL")
        return self

    @model_validator(mode="after")
    def _check_can_publish(self) -> ApiSettings:
        if self.clerk_secret_key and not self.kafka_bootstrap_servers:
            raise ValueError(
                "KAFKA_BOOTSTRAP_SERVERS is needed with CLERK_SECRET_KEY: what Clerk answers of a"
                " new user is published there"
            )
        return self

    @model_validator(mode="after")
    def _check_pool(self) -> ApiSettings:
        if self.api_pool_min > self.api_pool_max:
            raise ValueError("API_POOL_MIN must not be more than API_POOL_MAX")
        return self
