"""A key pair of our own, and tokens as Clerk would sign them with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    Sign = Callable[..., str]


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    """Stand for the key that only Clerk has."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def public_pem(signing_key: rsa.RSAPrivateKey) -> str:
    """Return the key of the dashboard's page of API keys."""
    return (
        signing_key.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.fixture(scope="session")
def sign(signing_key: rsa.RSAPrivateKey) -> Sign:
    """Return a function that signs a session token; a claim of None is left out."""

    def sign(*, header: dict[str, Any] | None = None, **claims: object) -> str:
        now = int(time.time())
        session = {
            "azp": "https://app.example.com",
            "exp": now + 60,
            "iat": now,
            "iss": "https://clerk.example.com",
            "nbf": now - 10,
            "sid": "sess_1",
            "sts": "active",
            "sub": "user_1",
            "v": 2,
        } | claims
        return jwt.encode(
            {name: value for name, value in session.items() if value is not None},
            signing_key,
            algorithm="RS256",
            headers={"kid": "ins_1", "cat": "cl_B7d4PD111AAA"} | (header or {}),
        )

    return sign
