"""Which session tokens are believed: what every process reads that has callers."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, HttpUrl, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from schema.http.tokens.claims import TokenRules
from schema.http.tokens.keys import parse_pem
from schema.ops.settings import ProcessSettings, split_commas

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
# An Origin as browsers send it: no path, no trailing slash (RFC 6454 §6.2).
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+")


class TokenSettings(ProcessSettings):
    """Where Clerk's public keys are, and what a token must say; an empty variable is unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    clerk_jwt_key: str | None = Field(
        None,
        description="Clerk's public key as PEM, newlines also as `\\n`; this or `CLERK_JWKS_URL`."
        " The API needs one of them; ingest without either serves webhooks and no commands",
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

    clerk_azp_required: bool = Field(
        default=False,
        description="whether a session token without `azp` is refused where"
        " `CLERK_AUTHORIZED_PARTIES` is set. Clerk leaves it out of tokens that a request without"
        " an Origin got, as a link from elsewhere is: yes signs such users out until the next"
        " token; no accepts what a stranger's page had minted without telling its origin",
    )

    @property
    def has_keys(self) -> bool:
        """Whether there is a key to verify tokens with."""
        return self.clerk_jwt_key is not None or self.clerk_jwks_url is not None

    @property
    def token_rules(self) -> TokenRules:
        """What a token must say."""
        return TokenRules(
            issuer=self.clerk_issuer,
            parties=self.clerk_authorized_parties,
            party_required=self.clerk_azp_required,
        )

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
    def _check_key_sources(self) -> TokenSettings:
        if self.clerk_jwt_key is not None and self.clerk_jwks_url is not None:
            raise ValueError("set exactly one of CLERK_JWT_KEY and CLERK_JWKS_URL, not both")
        return self

    @model_validator(mode="after")
    def _check_required_party(self) -> TokenSettings:
        if self.clerk_azp_required and not self.clerk_authorized_parties:
            raise ValueError("CLERK_AZP_REQUIRED needs CLERK_AUTHORIZED_PARTIES")
        return self
