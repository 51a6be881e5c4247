"""Verifying tokens: text and key in, a caller out, or a 401 that says why not. No I/O.

Claims and their traps: https://clerk.com/docs/guides/sessions/session-tokens
Machines' tokens: https://clerk.com/docs/guides/development/machine-auth/m2m-tokens
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import jwt

from schema.http.errors import HttpError
from schema.http.tokens.keys import ALGORITHM
from schema.http.tokens.organizations import Organization, parse_organization
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

Reason = Literal[
    "missing",
    "malformed",
    "not_a_session",
    "unknown_key",
    "bad_signature",
    "expired",
    "not_yet_valid",
    "wrong_issuer",
    "wrong_party",
    "pending_session",
    "session_ended",
]
"""Why a caller is not believed: `details.reason` of the 401."""

LEEWAY_S: Final = 5
"""How far our clock and Clerk's may differ; the default of Clerk's SDKs."""

SESSION_CATEGORIES: Final = (None, "cl_B7d4PD111AAA", "cl_I7d4PD111III")
"""Values of the header `cat` that a session token can have.

One instance key also signs JWT templates and machine tokens, and `cat` alone tells them apart.
None: tokens from before May 2026. The last: instances that stamp every kind with one value.
https://github.com/clerk/javascript/pull/9469
"""

MACHINE_CATEGORIES: Final = (None, "cl_B7d4PD333AAA", "cl_I7d4PD111III")
"""Values of `cat` that a machine's token can have. https://github.com/clerk/javascript/pull/9038

Where `cat` does not tell, `sub` does: a user's id or a machine's.
"""

CLERK_USER_ID: Final = re.compile(r"user_[A-Za-z0-9_-]{1,128}")
"""What a user's id looks like, with room to spare; so far 27 letters and digits follow."""

CLERK_MACHINE_ID: Final = re.compile(r"mch_[A-Za-z0-9_-]{1,128}")
"""What a machine's id looks like."""

READ_SCOPE: Final = "clerkwork:read"
"""The scope whose bearer sees everything, and changes nothing by it."""

_SESSION_ID: Final = re.compile(r"sess_[A-Za-z0-9_-]{1,128}")

_MESSAGES: Final[Mapping[Reason, str]] = {
    "missing": "Send a session token: `Authorization: Bearer` or the cookie `__session`.",
    "malformed": "The token is not a readable JWT with exp, iat and sub.",
    "not_a_session": "The token is not a user's session token.",
    "unknown_key": "The token names a signing key that is not known.",
    "bad_signature": "The token's signature does not hold.",
    "expired": "The token has expired.",
    "not_yet_valid": "The token is not valid yet.",
    "wrong_issuer": "The token is another issuer's.",
    "wrong_party": "The token was made for another party.",
    "pending_session": "The session is pending: the user has tasks left to complete.",
    "session_ended": "The session has ended.",
}

# Most specific first where the types are related; anything else is "malformed".
_REASONS: Final[tuple[tuple[type[jwt.PyJWTError], Reason], ...]] = (
    (jwt.InvalidSignatureError, "bad_signature"),
    (jwt.InvalidAlgorithmError, "bad_signature"),
    (jwt.InvalidKeyError, "bad_signature"),
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not_yet_valid"),
)

# Checked before PyJWT sees the text: header values may hold what UTF-8 cannot encode.
_COMPACT_JWS: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


class UnauthenticatedError(HttpError):
    """The caller is not who the token claims, or there is no token."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(
            "UNAUTHENTICATED",
            _MESSAGES[reason],
            details={"reason": reason},
            headers={"WWW-Authenticate": "Bearer"},
        )
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """What this installation asks of a token beyond a good signature."""

    issuer: str | None = None
    """The only `iss` accepted; None accepts any, as Clerk's Python SDK does."""
    parties: tuple[str, ...] = ()
    """The only values of `azp` accepted; empty accepts any."""
    party_required: bool = False
    """Whether a session without `azp` is refused where `parties` are set.

    The cookie of a user who comes by a link has none, so this signs real users out; without it a
    token that was minted by a request without an Origin is good whoever asked for it.
    https://github.com/clerk/javascript/issues/9249
    """
    machines: bool = False
    """Whether tokens of machines are accepted at all."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is calling, as the token says it; the database knows what a user may do."""

    clerk_id: str
    user_id: UUID
    session_id: str | None = None
    """Clerk's id of the session; machines have none."""
    expires_at: int
    """When the token stops being good, LEEWAY_S included; in seconds since 1970."""
    organization: Organization | None = None
    """Where the session acts, if anywhere."""
    scopes: frozenset[str] = frozenset()
    """What the instance's owner had Clerk write into `scope` or `scopes`."""
    actor: str | None = None
    """Who impersonates the user, if anybody: a user's id, or another of Clerk's."""

    @cached_property
    def is_machine(self) -> bool:
        """Whether this is no user; there is no row for it."""
        return not CLERK_USER_ID.fullmatch(self.clerk_id)

    @cached_property
    def session_key(self) -> UUID | None:
        """The key of the session's row; None without a session."""
        return derive_id(self.session_id) if self.session_id else None


def read_key_id(token: str, *, machines: bool = False) -> str | None:
    """Return the `kid` of what looks like an RS256 session token. Raises UnauthenticatedError.

    With `machines` theirs will do too. Nothing is verified yet, but junk is refused before it can
    cause a fetch of keys.
    """
    if not _COMPACT_JWS.fullmatch(token):
        raise UnauthenticatedError("malformed")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise UnauthenticatedError("malformed") from error
    if header.get("alg") != ALGORITHM:
        raise UnauthenticatedError("bad_signature")
    # OAuth access tokens are signed with the same key and say `at+jwt` (RFC 9068 §2.1).
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise UnauthenticatedError("not_a_session")
    category = header.get("cat")
    if category not in SESSION_CATEGORIES and not (machines and category in MACHINE_CATEGORIES):
        raise UnauthenticatedError("not_a_session")
    return header.get("kid")


def verify_token(
    token: str, *, key: RSAPublicKey, rules: TokenRules, machines: bool = False
) -> Caller:
    """Return whose session `token` is, or with `machines` which of them. Raises as read_key_id.

    `exp`, `nbf` and `iat` are compared with this machine's clock: a machine's token that never
    expires is refused. A session token with an audience was made from a JWT template for some
    other service and is refused; what a machine may do here stands in its scopes.
    """
    try:
        found = jwt.decode_complete(
            token,
            key,
            algorithms=[ALGORITHM],
            leeway=LEEWAY_S,
            options={
                "require": ["exp", "iat", "sub"],
                "enforce_minimum_key_length": True,
                "verify_aud": False,
            },
        )
    except jwt.PyJWTError as error:
        raise UnauthenticatedError(_reason_of(error)) from error
    claims: Mapping[str, Any] = found["payload"]
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise UnauthenticatedError("wrong_issuer")
    category = found["header"].get("cat")
    if CLERK_USER_ID.fullmatch(claims["sub"]) and category in SESSION_CATEGORIES:
        _check_session(claims, rules)
    elif not (
        machines
        and rules.machines
        and CLERK_MACHINE_ID.fullmatch(claims["sub"])
        and category in MACHINE_CATEGORIES
    ):
        raise UnauthenticatedError("not_a_session")
    return _caller(claims)


def _reason_of(error: jwt.PyJWTError) -> Reason:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return "malformed"


def _check_session(claims: Mapping[str, Any], rules: TokenRules) -> None:
    if claims.get("aud"):
        raise UnauthenticatedError("wrong_party")
    # `azp` is the Origin of the request that minted the token. Top-level navigation sends none,
    # so real users' cookie tokens often lack it: absence passes, as Clerk's documentation says.
    if rules.parties and ("azp" in claims or rules.party_required):
        party = claims.get("azp")
        if party not in rules.parties:
            raise UnauthenticatedError("wrong_party")
    if claims.get("sts") == "pending":
        raise UnauthenticatedError("pending_session")


def _caller(claims: Mapping[str, Any]) -> Caller:
    session_id, act = claims.get("sid"), claims.get("act")
    actor = act.get("sub") if isinstance(act, dict) else None
    named = isinstance(session_id, str) and _SESSION_ID.fullmatch(session_id)
    return Caller(
        clerk_id=claims["sub"],
        user_id=derive_id(claims["sub"]),
        session_id=session_id if named else None,
        expires_at=int(claims["exp"]) + LEEWAY_S,
        organization=parse_organization(claims),
        scopes=frozenset(_scopes(claims.get("scope"))) | frozenset(_scopes(claims.get("scopes"))),
        actor=actor if isinstance(actor, str) else None,
    )


def _scopes(claim: object) -> Iterable[str]:
    """Return the words of a claim: one string of them (RFC 8693 §4.2), or a list."""
    if isinstance(claim, str):
        return claim.split()
    return (each for each in claim if isinstance(each, str)) if isinstance(claim, list) else ()
