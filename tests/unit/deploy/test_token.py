"""Development tokens."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from deploy.errors import OperatorError
from deploy.tokens import (
    ISSUER,
    Membership,
    mint_machine_token,
    mint_token,
    new_private_key,
    public_key,
)
from schema.http.tokens.claims import TokenRules, UnauthenticatedError, verify_token
from schema.http.tokens.keys import parse_pem

KEY = new_private_key()
RULES = TokenRules(issuer=ISSUER, parties=("https://app.example.com",))


def _read_claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_the_api_believes_it() -> None:
    """The public half is what the API is given; it checks issuer and times as well."""
    token = mint_token(KEY, user_id="user_development", minutes=1)

    caller = verify_token(token, key=parse_pem(public_key(KEY)), rules=RULES)

    assert caller.clerk_id == "user_development"


def test_it_has_the_claims_of_clerks_second_version() -> None:
    """No more and no fewer than a session of nobody's organization."""
    claims = _read_claims(mint_token(KEY, user_id="user_1", minutes=5))

    assert claims.keys() == {"exp", "iat", "iss", "jti", "nbf", "sid", "sts", "sub", "v"}
    assert (claims["v"], claims["sts"], claims["sub"]) == (2, "active", "user_1")
    assert claims["exp"] - claims["iat"] == 300


def test_an_origin_becomes_azp() -> None:
    """A token of another origin than the accepted ones is refused, and so can be tried."""
    token = mint_token(KEY, user_id="user_1", minutes=1, origin="https://evil.example.com")

    with pytest.raises(UnauthenticatedError) as caught:
        verify_token(token, key=parse_pem(public_key(KEY)), rules=RULES)

    assert caught.value.reason == "wrong_party"


def test_another_key_signs_for_nothing() -> None:
    """Each home has its own."""
    token = mint_token(new_private_key(), user_id="user_1", minutes=1)

    with pytest.raises(UnauthenticatedError):
        verify_token(token, key=parse_pem(public_key(KEY)), rules=RULES)


@pytest.mark.parametrize("user_id", ["", "ada", "user_", "user_ü", "org_1"])
def test_only_users_have_sessions(user_id: str) -> None:
    """An id that the API would refuse is refused here, in words."""
    with pytest.raises(OperatorError, match="user_"):
        mint_token(KEY, user_id=user_id, minutes=1)


def test_a_damaged_key_is_named() -> None:
    """The file can be deleted: the next `up` makes another."""
    with pytest.raises(OperatorError, match="Delete it"):
        public_key("-----BEGIN PRIVATE KEY-----\n")


def test_an_organization_is_packed_as_clerk_does() -> None:
    """The API reads the role and the permissions that were asked for."""
    membership = Membership(
        organization_id="org_1", role="admin", permissions=["posts:read", "teams:manage"]
    )
    token = mint_token(KEY, user_id="user_1", minutes=1, membership=membership, scopes=["a", "b"])

    caller = verify_token(token, key=parse_pem(public_key(KEY)), rules=RULES)

    assert caller.scopes == {"a", "b"}
    assert caller.organization
    assert (caller.organization.id, caller.organization.role) == ("org_1", "admin")
    assert caller.organization.permissions == {"org:posts:read", "org:teams:manage"}


def test_a_machine_can_be_tried() -> None:
    """Where machines are let in, the API believes it; it carries the scope to read."""
    token = mint_machine_token(KEY, machine_id="mch_1", minutes=1)
    rules = TokenRules(issuer=ISSUER, machines=True)

    caller = verify_token(token, key=parse_pem(public_key(KEY)), rules=rules, machines=True)

    assert caller.is_machine
    assert caller.scopes == {"clerkwork:read"}


@pytest.mark.parametrize("permission", ["read", "a:b:c", "a,b:c", ""])
def test_a_permission_that_cannot_be_packed_is_named(permission: str) -> None:
    """In words, before anything is signed."""
    membership = Membership(organization_id="org_1", permissions=[permission])

    with pytest.raises(OperatorError, match="posts:read"):
        mint_token(KEY, user_id="user_1", minutes=1, membership=membership)


def test_ids_of_another_kind_are_refused() -> None:
    """A user is no machine, and no organization either."""
    with pytest.raises(OperatorError, match="mch_"):
        mint_machine_token(KEY, machine_id="user_1", minutes=1)
    with pytest.raises(OperatorError, match="org_"):
        mint_token(
            KEY, user_id="user_1", minutes=1, membership=Membership(organization_id="user_1")
        )
