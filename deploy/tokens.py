"""Tokens as Clerk makes them, signed with a development key of our own."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

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
from schema.http.tokens.claims import (
    CLERK_MACHINE_ID,
    CLERK_USER_ID,
    MACHINE_CATEGORIES,
    READ_SCOPE,
    SESSION_CATEGORIES,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

ISSUER: Final = "https://clerkwork.localhost"
"""`iss` of development tokens; nobody can own a name below .localhost (RFC 6761)."""

KEY_ID: Final = "ins_development"
"""`kid` of development tokens."""

_ORGANIZATION_ID: Final = re.compile(r"org_[A-Za-z0-9_-]{1,128}")
_PERMISSION: Final = re.compile(r"[a-z0-9_-]+:[a-z0-9_-]+")


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


@dataclass(frozen=True, kw_only=True)
class Membership:
    """The organization that a session acts in."""

    organization_id: str
    role: str = "member"
    """Without Clerk's prefix `org:`."""
    permissions: Sequence[str] = ()
    """Each `<feature>:<permission>`."""

    def claims(self) -> dict[str, object]:
        """Return the claims of version 2. Raises OperatorError."""
        if not _ORGANIZATION_ID.fullmatch(self.organization_id):
            raise OperatorError(f"{self.organization_id} is not an organization's id: org_….")
        claims: dict[str, object] = {"id": self.organization_id, "rol": self.role}
        claims["slg"] = self.organization_id.removeprefix("org_").lower()
        if not self.permissions:
            return {"o": claims}
        if not all(_PERMISSION.fullmatch(each) for each in self.permissions):
            raise OperatorError("A permission is <feature>:<permission>, such as posts:read.")
        pairs = [each.split(":") for each in self.permissions]
        features = sorted({feature for feature, _ in pairs})
        names = sorted({name for _, name in pairs})
        masks = [
            sum(1 << place for place, name in enumerate(names) if [feature, name] in pairs)
            for feature in features
        ]
        claims |= {"per": ",".join(names), "fpm": ",".join(map(str, masks))}
        return {"o": claims, "fea": ",".join(f"o:{feature}" for feature in features)}


def mint_token(  # noqa: PLR0913 - what a token can say
    private_key: str,
    *,
    user_id: str,
    minutes: float,
    origin: str | None = None,
    membership: Membership | None = None,
    scopes: Sequence[str] = (),
) -> str:
    """Return a session token, version 2, of that clerk user, valid from now for `minutes`.

    What the user may do is not in it, but for `scopes`: the database knows. Raises OperatorError
    when an id is not one of Clerk's, or the key cannot be read.
    """
    if not CLERK_USER_ID.fullmatch(user_id):
        raise OperatorError(f"{user_id} is not a user id of Clerk's: those begin with user_.")
    claims: dict[str, object] = {
        "sid": f"sess_{secrets.token_hex(12)}",
        "sts": "active",
        "sub": user_id,
        "v": 2,
    }
    if origin:
        claims["azp"] = origin
    if membership:
        claims |= membership.claims()
    if scopes:
        claims["scope"] = " ".join(scopes)
    return _sign(private_key, claims, minutes=minutes, category=SESSION_CATEGORIES[1])


def mint_machine_token(
    private_key: str,
    *,
    machine_id: str,
    minutes: float,
    scopes: Sequence[str] = (READ_SCOPE,),
    issuer: str = ISSUER,
) -> str:
    """Return a token of that machine, as Clerk's M2M tokens in the format of a JWT are.

    Raises OperatorError when the id is not a machine's, or the key cannot be read.
    """
    if not CLERK_MACHINE_ID.fullmatch(machine_id):
        raise OperatorError(f"{machine_id} is not a machine id of Clerk's: those begin with mch_.")
    claims: dict[str, object] = {"sub": machine_id, "iss": issuer}
    if scopes:
        claims["scope"] = " ".join(scopes)
    return _sign(private_key, claims, minutes=minutes, category=MACHINE_CATEGORIES[1])


def _sign(
    private_key: str, claims: dict[str, object], *, minutes: float, category: str | None
) -> str:
    now = datetime.now(UTC)
    times: dict[str, object] = {
        "exp": now + timedelta(minutes=minutes),
        "iat": now,
        "iss": ISSUER,
        "jti": secrets.token_hex(10),
        "nbf": now - timedelta(seconds=10),  # Clerk's own allowance for clocks that differ
    }
    return jwt.encode(
        times | claims,
        _load(private_key),
        algorithm="RS256",
        headers={"kid": KEY_ID, "cat": category},
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
