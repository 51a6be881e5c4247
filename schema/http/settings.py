"""What both HTTP services read from the environment."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from schema.ops.settings import SharedSettings, split_commas

# An Origin as browsers send it: no path, no trailing slash (RFC 6454 §6.2).
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s*]+")


class HttpSettings(SharedSettings):
    """How requests are taken, whoever answers them."""

    redis_url: Annotated[SecretStr | None, NoDecode] = Field(
        None,
        description="`redis://` or `rediss://`: where processes count rate limits together; unset,"
        " each counts by itself",
    )
    trusted_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="proxies of yours before this process; the client's address is that many"
        " from the right in X-Forwarded-For, with 0 the connection's",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        (),
        description="origins, comma-separated, whose pages may read the answers; `*` is any;"
        " unset, none may",
    )
    cors_credentials: bool = Field(
        default=False, description="whether pages of these origins may send cookies"
    )
    http_hsts_seconds: int = Field(
        0,
        ge=0,
        description="how long browsers remember to come by TLS only; set it where TLS is, 0 is off",
    )
    http_connections: int = Field(
        4000, ge=1, description="connections that may be open at once; the silent ones give way"
    )
    http_connections_per_source: int = Field(
        0,
        ge=0,
        description="the same for each address that connects; leave it 0, unlimited, behind a"
        " proxy",
    )
    http_head_timeout_s: float = Field(
        10.0, gt=0, le=300, description="seconds that a client has to send a request's head"
    )
    http_body_timeout_s: float = Field(
        10.0, gt=0, le=300, description="seconds that it has to send the body after that"
    )
    http_keepalive_s: float = Field(
        75.0,
        gt=0,
        le=3600,
        description="seconds that a connection may rest between requests; longer than your"
        " proxy's own limit",
    )
    http_drain_s: float = Field(
        0.0,
        ge=0,
        le=300,
        description="seconds that a process goes on serving after SIGTERM, with `/readyz` at 503,"
        " so that load balancers notice and clients go elsewhere; a second signal ends them",
    )
    http_reuse_port: bool = Field(
        default=False,
        description="whether several processes may listen on one port; the kernel shares the"
        " connections out among them",
    )

    @field_validator("redis_url", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return value or None

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        schemes: tuple[Literal["redis", "rediss"], ...] = ("redis", "rediss")
        try:
            parts = urlsplit(value.get_secret_value())
            sound = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("must be a redis:// or rediss:// URL")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_cors_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("each must be an origin, such as https://app.example.com, or *")
        return value

    @model_validator(mode="after")
    def _check_credentials(self) -> HttpSettings:
        # Fetch standard §3.3.5: no page of any origin may act with a signed-in user's cookies.
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("CORS_CREDENTIALS needs CORS_ORIGINS that are named, not *")
        return self
