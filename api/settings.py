"""What the API reads from its environment."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from schema.http.tokens.settings import TokenSettings
from schema.ops.settings import DatabaseSettings


class ApiSettings(DatabaseSettings, TokenSettings):
    """What `python -m api` reads; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    api_host: str = Field("127.0.0.1", description="address the API listens on")
    api_port: int = Field(8081, ge=0, le=65535, description="port the API listens on")
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
        200, ge=1, le=10_000, description="requests with `min_version` that may wait at once"
    )

    @model_validator(mode="after")
    def _check_has_keys(self) -> ApiSettings:
        if not self.has_keys:
            raise ValueError("set exactly one of CLERK_JWT_KEY and CLERK_JWKS_URL")
        return self
