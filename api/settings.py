"""What the API reads from its environment."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, HttpUrl, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from schema.http.limits.rules import parse_rules
from schema.http.settings import HttpSettings
from schema.http.tokens.keys import parse_pem
from schema.ops.settings import DatabaseSettings, split_commas

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
# An Origin as browsers send it: no path, no trailing slash (RFC 6454 §6.2).
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+")


class ApiSettings(DatabaseSettings, HttpSettings):
    """What `python -m api` reads; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    api_host: str = Field("127.0.0.1", description="address the API listens on")
    api_port: int = Field(8081, ge=0, le=65535, description="port the API listens on")
    clerk_jwt_key: str | None = Field(
        None,
        description="Clerk's public key as PEM, newlines also as `\\n`; this or `CLERK_JWKS_URL`",
    )
    clerk_jwks_url: HttpUrl | None = Field(
        None,
        description="where Clerk serves its public keys without a secret:"
        " `https://<frontend API>/.well-known/jwks.json`; this or `CLERK_JWT_KEY`",
    )
    clerk_issuer: str | None = Field(
        None,
        description="the `iss` that tokens must carry, your frontend API URL; unset, any token"
        " signed with the key passes, and the start warns",
    )
    clerk_authorized_parties: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(split_commas)
    ] = Field(
        (),
        description="origins, comma-separated, that a token's `azp` must be among when it has one;"
        " unset, any origin passes, and the start warns",
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
        200, ge=1, le=10_000, description="requests with `min_version` that may wait at once"
    )

    api_rate_limits: str = Field(
        "*=6000/minute/ip, *=1200/minute/user",
        description="endpoint=count/window/scope, comma-separated; endpoints by their operationId"
        " in `/v1/openapi.json`, `*` for all others together; window: second, minute, hour, day;"
        " scope: ip, user, organization; `off` for none",
    )

    @field_validator("api_rate_limits")
    @classmethod
    def _check_limits(cls, value: str) -> str:
        parse_rules(value)
        return value

    @field_validator("clerk_jwt_key")
    @classmethod
    def _check_pem(cls, value: str | None) -> str | None:
        if value is not None:
            parse_pem(value)
        return value

    @field_validator("clerk_jwks_url")
    @classmethod
    def _check_transport(cls, value: HttpUrl | None) -> HttpUrl | None:
        # Whoever can change the keys on their way can sign in as anybody.
        if value is not None and value.scheme != "https" and value.host not in _LOOPBACK:
            raise ValueError("must be https, except on this machine")
        return value

    @field_validator("clerk_issuer")
    @classmethod
    def _strip_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else None

    @field_validator("clerk_authorized_parties")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(origin.rstrip("/") for origin in value)
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("each must be an origin, such as https://app.example.com")
        return origins

    @model_validator(mode="after")
    def _check_one_key_source(self) -> ApiSettings:
        if (self.clerk_jwt_key is None) == (self.clerk_jwks_url is None):
            raise ValueError("set exactly one of CLERK_JWT_KEY and CLERK_JWKS_URL")
        return self
