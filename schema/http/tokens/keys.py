"""Clerk's public keys: one PEM from the settings, or the set that Clerk serves (JWKS, RFC 7517).

UnknownKeyError        401  the token names a key that Clerk does not publish
KeysUnavailableError   503  nobody can say, because Clerk's keys cannot be fetched
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM: Final = "RS256"
"""What Clerk signs with; its Python SDK accepts nothing else."""

MIN_KEY_BITS: Final = 2048
"""RFC 7518 §3.3: RS256 needs a key of 2048 bits or more."""

RETRY_AFTER_S: Final = 5
"""When callers, and we ourselves, may ask again for keys that could not be fetched."""


class UnknownKeyError(Exception):
    """Clerk publishes no key with the id that the token names."""


class KeysUnavailableError(HttpError):
    """Clerk's keys cannot be fetched and none is cached that would do."""

    def __init__(self) -> None:
        super().__init__(
            "KEYS_UNAVAILABLE",
            "Tokens cannot be checked at the moment.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )


class KeySource(Protocol):
    """Where the keys come from that tokens are verified with."""

    async def find(self, key_id: str | None) -> RSAPublicKey:
        """Return the key named in a token's `kid`.

        Raises UnknownKeyError or KeysUnavailableError.
        """
        ...

    async def check(self) -> None:
        """Return when there is a key to verify with. Raises KeysUnavailableError."""
        ...

    @property
    def failing(self) -> bool:
        """Whether keys are not asked for at the moment, because they could not be fetched."""
        ...


def parse_pem(text: str) -> RSAPublicKey:
    r"""Return the key in `text`, whose newlines may be written `\n`. Raises ValueError."""
    try:
        key = load_pem_public_key(text.replace("\\n", "\n").encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("must be a public key in PEM (-----BEGIN PUBLIC KEY-----)") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise ValueError(f"must be an RSA public key of {MIN_KEY_BITS} bits or more")
    return key


@dataclass(frozen=True)
class PemKey:
    """The one key of the settings; it verifies whatever key id a token names."""

    key: RSAPublicKey

    async def find(self, key_id: str | None) -> RSAPublicKey:  # noqa: ARG002 - asked of every source
        """Return the key."""
        return self.key

    async def check(self) -> None:
        """Return: the key was read at the start."""

    @property
    def failing(self) -> bool:
        """Never: nothing is fetched."""
        return False


class _Jwk(msgspec.Struct, frozen=True, kw_only=True):
    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    n: str | None = None
    e: str | None = None


class _Jwks(msgspec.Struct, frozen=True, kw_only=True):
    keys: list[_Jwk]


def parse_jwks(body: bytes) -> Mapping[str, RSAPublicKey]:
    """Return key id -> key for every key in `body` that RS256 tokens can be signed with.

    Raises msgspec.DecodeError, ValueError, RecursionError or jwt.PyJWKSetError when there is none.
    """
    usable = [
        {"kty": jwk.kty, "kid": jwk.kid, "alg": ALGORITHM, "n": jwk.n, "e": jwk.e}
        for jwk in msgspec.json.decode(body, type=_Jwks).keys
        if (jwk.kty, jwk.use or "sig", jwk.alg or ALGORITHM) == ("RSA", "sig", ALGORITHM)
        and jwk.kid
    ]
    return {jwk.key_id: jwk.key for jwk in jwt.PyJWKSet(usable) if jwk.key_id}
