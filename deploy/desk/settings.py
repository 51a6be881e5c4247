"""What the desk reads from its environment."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from deploy.letters.desk import DeskSettings
from schema.http.limits.rules import parse_rules
from schema.http.settings import HttpSettings
from schema.http.tokens.settings import TokenSettings
from schema.ops.settings import split_commas


def check_origin(value: str) -> str:
    """Return an origin without its last slash. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
        raise ValueError("must be an origin, such as https://desk.example.com")
    return value.rstrip("/")


class BrowserDeskSettings(DeskSettings, TokenSettings, HttpSettings):
    """What `clerkwork desk` reads; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    desk_host: str = Field("127.0.0.1", description="address the desk listens on")
    desk_port: int = Field(8082, ge=0, le=65535, description="port the desk listens on")
    desk_origin: Annotated[str, AfterValidator(check_origin)] | None = Field(
        None,
        description="where browsers find the desk, such as `https://desk.example.com`, if that is"
        " not the address it is asked by: behind a proxy that ends TLS. With https its cookie goes"
        " by TLS only",
    )
    desk_targets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        (),
        max_length=32,
        description="processes whose `/metrics` the desk shows, comma-separated:"
        " `ingest=http://127.0.0.1:8080, worker=http://127.0.0.1:9101`",
    )
    desk_rate_limits: str = Field(
        "sign_in=10/minute/ip, make_code=10/minute/ip, *=1200/minute/ip",
        description="as `API_RATE_LIMITS`, for the desk; `sign_in` counts tries to sign in",
    )

    @property
    def targets(self) -> dict[str, str]:
        """Name -> address of each target."""
        return {name: url for name, _, url in (each.partition("=") for each in self.desk_targets)}

    @field_validator("desk_targets")
    @classmethod
    def _check_targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            name, _, url = each.partition("=")
            if not name.isidentifier() or urlsplit(url).scheme not in {"http", "https"}:
                raise ValueError("each must be name=http://host:port")
        return value

    @field_validator("desk_rate_limits")
    @classmethod
    def _check_limits(cls, value: str) -> str:
        parse_rules(value)
        return value

    @model_validator(mode="after")
    def _check_has_keys(self) -> BrowserDeskSettings:
        if not self.has_keys:
            raise ValueError("set exactly one of CLERK_JWT_KEY and CLERK_JWKS_URL")
        return self
