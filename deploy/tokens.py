"""Session tokens as Clerk makes them, signed with a development key of our own."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from deploy.errors import OperatorError
from schema.http.tokens.claims import CLERK_USER_ID

ISSUER: Final = "https://clerkwork.localhost"
"""`iss` of development tokens; nobody can own a name below .localhost (RFC 6761)."""


def new_private_key() -> str:
    """Return a new RSA key as PEM."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_key(private_key: str) -> str:
    """Return the public half of a PEM, as `CLERK_JWT_KEY` takes it. Raises OperatorError."""
    return (
        _load(private_key)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def mint_token(private_key: str, *, user_id: str, minutes: float, origin: str | None = None) -> str:
    """Return a session token, version 2, of that clerk user, valid from now for `minutes`.

    What the user may do is not in it: the database knows. Raises OperatorError when `user_id` is
    not one of Clerk's, or the key cannot be read.
    """
    if not CLERK_USER_ID.fullmatch(user_id):
        raise OperatorError(f"{user_id} is not a user id of Clerk's: those begin with user_.")
    now = datetime.now(UTC)
    claims: dict[str, object] = {
        "exp": now + timedelta(minutes=minutes),
        "iat": now,
        "iss": ISSUER,
        "jti": secrets.token_hex(10),
        "nbf": now - timedelta(seconds=10),  # Clerk's own allowance for clocks that differ
        "sid": f"sess_{secrets.token_hex(12)}",
        "sts": "active",
        "sub": user_id,
        "v": 2,
    }
    if origin:
        claims["azp"] = origin
    return jwt.encode(
        claims, _load(private_key), algorithm="RS256", headers={"kid": "ins_development"}
    )


def _load(private_key: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise OperatorError(
            "The development key is not an RSA key in PEM. Delete it: up makes one."
        )
    return key
