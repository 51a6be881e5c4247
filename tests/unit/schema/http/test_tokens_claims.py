"""Verifying session tokens: the cases of Clerk's Python SDK and of Clerk's own advisories."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from schema.http.tokens.claims import (
    LEEWAY_S,
    Caller,
    TokenRules,
    UnauthenticatedError,
    read_key_id,
    verify_token,
)
from schema.http.tokens.keys import parse_pem
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from collections.abc import Callable

    Sign = Callable[..., str]

RULES = TokenRules(issuer="https://clerk.example.com", parties=("https://app.example.com",))


def verify(token: str, pem: str, *, rules: TokenRules = RULES, machines: bool = False) -> Caller:
    """Do what a request does, with the key at hand."""
    read_key_id(token, machines=machines)
    return verify_token(token, key=parse_pem(pem), rules=rules, machines=machines)


def refusal(token: str, pem: str, *, rules: TokenRules = RULES) -> str:
    """Return the reason why `token` is refused."""
    with pytest.raises(UnauthenticatedError) as caught:
        verify(token, pem, rules=rules)
    return caught.value.reason


def segment(value: object) -> str:
    """Write `value` as a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_session_token_is_believed(sign: Sign, public_pem: str) -> None:
    """Clerk's id comes from `sub`, ours is derived from it; it is good until `exp` and leeway."""
    expires_at = int(time.time()) + 60

    assert verify(sign(exp=expires_at), public_pem) == Caller(
        clerk_id="user_1",
        user_id=derive_id("user_1"),
        session_id="sess_1",
        expires_at=expires_at + LEEWAY_S,
    )


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"azp": None}, id="azp absent: minted by a request without an Origin"),
        pytest.param({"sts": None}, id="version 1 tokens have no sts"),
        pytest.param({"nbf": None}, id="nbf absent"),
        pytest.param({"exp": -3}, id="expired 3 s ago, within the leeway"),
        pytest.param({"nbf": 3}, id="valid in 3 s, within the leeway"),
        pytest.param({"act": {"sub": "user_2"}}, id="impersonated: it is still this user"),
        pytest.param({"o": {"id": "org_1"}}, id="with an organization"),
    ],
)
def test_what_session_tokens_may_look_like(
    sign: Sign, public_pem: str, claims: dict[str, object]
) -> None:
    """None of these differences makes a real session token wrong."""
    token = sign(**_from_now(claims))

    assert verify(token, public_pem).clerk_id == "user_1"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": -10}, "expired"),
        ({"exp": None}, "malformed"),
        ({"iat": None}, "malformed"),
        ({"sub": None}, "malformed"),
        ({"exp": "soon"}, "malformed"),
        ({"nbf": 10}, "not_yet_valid"),
        ({"iat": 10}, "not_yet_valid"),
        ({"iss": "https://clerk.other.example"}, "wrong_issuer"),
        ({"iss": None}, "wrong_issuer"),
        ({"azp": "https://evil.example"}, "wrong_party"),
        ({"azp": ""}, "wrong_party"),
        ({"azp": ["https://app.example.com"]}, "wrong_party"),
        ({"aud": "https://other-service.example"}, "wrong_party"),
        ({"aud": ["https://other-service.example"]}, "wrong_party"),
        ({"sts": "pending"}, "pending_session"),
        ({"sub": "mch_1"}, "not_a_session"),
        ({"sub": "user_\udc80"}, "not_a_session"),
        ({"sub": ""}, "not_a_session"),
    ],
)
def test_claims_that_are_refused(
    sign: Sign, public_pem: str, claims: dict[str, object], reason: str
) -> None:
    """A good signature is not enough."""
    assert refusal(sign(**_from_now(claims)), public_pem) == reason


def _from_now(claims: dict[str, object]) -> dict[str, object]:
    return {
        name: int(time.time()) + value if isinstance(value, int) else value
        for name, value in claims.items()
    }


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": "application/at+jwt"},
        {"cat": "cl_B7d4PD222AAA"},
        {"cat": "cl_B7d4PD333AAA"},
        {"cat": ["cl_B7d4PD111AAA"]},
    ],
)
def test_other_tokens_of_the_same_key_are_no_sessions(
    sign: Sign, public_pem: str, header: dict[str, object]
) -> None:
    """OAuth, JWT templates and machines: signed by Clerk, but nobody's session."""
    assert refusal(sign(header=header), public_pem) == "not_a_session"


@pytest.mark.parametrize(
    "header",
    [
        {"oiat": 1_790_000_000},
        {"cat": "cl_I7d4PD111III"},
        {"typ": None},
        {"typ": "jwt"},
    ],
)
def test_headers_that_say_nothing_against_a_session(
    sign: Sign, public_pem: str, header: dict[str, object]
) -> None:
    """Clerk adds private headers; an instance may stamp every kind of token alike."""
    assert verify(sign(header=header), public_pem).clerk_id == "user_1"


def test_a_token_from_before_categories_is_believed(
    signing_key: rsa.RSAPrivateKey, public_pem: str
) -> None:
    """Without `cat` nothing tells the kinds apart but the rest of the token."""
    now = int(time.time())
    claims = {
        "exp": now + 60,
        "iat": now,
        "sub": "user_1",
        "iss": "https://clerk.example.com",
    }
    token = jwt.encode(claims, signing_key, algorithm="RS256")

    assert verify(token, public_pem).clerk_id == "user_1"


def test_unset_rules_check_nothing_more(sign: Sign, public_pem: str) -> None:
    """Without issuer and parties any token of the key passes, as the start warned."""
    token = sign(iss="https://elsewhere.example", azp="https://elsewhere.example")

    assert verify(token, public_pem, rules=TokenRules()).clerk_id == "user_1"


def test_a_forger_cannot_use_the_public_key_as_a_secret(public_pem: str) -> None:
    """HS256 over the PEM: the classic confusion of algorithms (CVE-2016-10555)."""
    signed = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment({'sub': 'user_1'})}"
    mac = hmac.new(public_pem.encode(), signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    assert refusal(token, public_pem) == "bad_signature"


@pytest.mark.parametrize("algorithm", ["none", "None", "", None, "RS512", ["RS256"]])
def test_no_other_algorithm_is_accepted(public_pem: str, algorithm: object) -> None:
    """Unsigned tokens above all."""
    token = f"{segment({'alg': algorithm, 'typ': 'JWT'})}.{segment({'sub': 'user_1'})}."

    assert refusal(token, public_pem) == "bad_signature"


def test_another_key_of_the_right_kind_is_not_enough(sign: Sign) -> None:
    """The signature has to be by the key that we know."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()

    with pytest.raises(UnauthenticatedError) as caught:
        verify_token(sign(), key=stranger, rules=RULES)

    assert caught.value.reason == "bad_signature"


def test_a_changed_payload_breaks_the_signature(sign: Sign, public_pem: str) -> None:
    """Header and signature of a real token around other claims."""
    header, _, signature = sign().split(".")

    token = f"{header}.{segment({'sub': 'user_2', 'exp': 9e9, 'iat': 0})}.{signature}"

    assert refusal(token, public_pem) == "bad_signature"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "garbage",
        "a.b.c",
        "....",
        "e30.e30.",
        "\udcff.e30.e30",
        "é.e30.e30",
        f"{base64.urlsafe_b64encode(b'[' * 5000).rstrip(b'=').decode()}.e30.e30",
        f"{segment(['alg', 'RS256'])}.e30.e30",
        f"{segment({'alg': 'RS256', 'kid': 7})}.e30.e30",
        f"{segment({'alg': 'RS256', 'crit': ['new']})}.e30.e30",
        f"{segment({'alg': 'RS256'})}.e30.e30.e30.e30",
    ],
)
def test_what_is_no_token_is_refused_before_any_key_is_looked_for(token: str) -> None:
    """Neither nesting nor bytes that UTF-8 cannot encode come through as another error."""
    with pytest.raises(UnauthenticatedError) as caught:
        read_key_id(token)

    assert caught.value.reason in ("malformed", "bad_signature")


@given(st.text() | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_no_text_causes_anything_but_a_refusal(token: str) -> None:
    """Whatever stands in the header, the answer is a 401."""
    with pytest.raises(UnauthenticatedError) as caught:
        read_key_id(token)

    assert caught.value.status == 401


def test_a_refusal_repeats_nothing_of_the_token(sign: Sign, public_pem: str) -> None:
    """The answer names a reason of a closed set, and the scheme to use."""
    with pytest.raises(UnauthenticatedError) as caught:
        verify(sign(azp="https://evil.example"), public_pem)

    error = caught.value
    assert (error.status, error.code) == (401, "UNAUTHENTICATED")
    assert error.details == {"reason": "wrong_party"}
    assert error.headers == {"WWW-Authenticate": "Bearer"}
    assert "evil" not in error.message


@pytest.mark.parametrize("claims", [{"azp": None}, {"azp": "https://app.example.com"}])
def test_parties_can_be_required(
    sign: Sign, public_pem: str, claims: dict[str, str | None]
) -> None:
    """Then a token that says nothing of its origin is another party's."""
    strict = TokenRules(parties=RULES.parties, party_required=True)
    token = sign(**claims)

    if claims["azp"]:
        assert verify(token, public_pem, rules=strict).clerk_id == "user_1"
    else:
        assert refusal(token, public_pem, rules=strict) == "wrong_party"


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": "clerkwork:read other"}, {"clerkwork:read", "other"}),
        ({"scopes": "clerkwork:read"}, {"clerkwork:read"}),
        ({"scopes": ["clerkwork:read", 7]}, {"clerkwork:read"}),
        ({"scope": "a", "scopes": ["b"]}, {"a", "b"}),
        ({"scope": {"clerkwork:read": True}}, set()),
        ({"scope": "clerkwork:readonly"}, {"clerkwork:readonly"}),
    ],
)
def test_scopes_are_words(
    sign: Sign, public_pem: str, claims: dict[str, object], scopes: set[str]
) -> None:
    """One string of them or a list; whatever else stands there is no scope."""
    assert verify(sign(**claims), public_pem).scopes == scopes


def test_impersonation_is_noted(sign: Sign, public_pem: str) -> None:
    """The caller is the user; who acts as them is known."""
    caller = verify(sign(act={"sub": "user_2", "iss": "https://dashboard.clerk.com"}), public_pem)

    assert (caller.clerk_id, caller.actor) == ("user_1", "user_2")


@pytest.mark.parametrize("sid", ["\udc80", "sess_\0", "", 7, None, "sess_" + "x" * 200])
def test_a_strange_session_id_is_none(sign: Sign, public_pem: str, sid: object) -> None:
    """It must not reach the database, nor keep the user out."""
    assert verify(sign(sid=sid), public_pem).session_id is None


MACHINES = TokenRules(issuer="https://clerk.example.com", machines=True)
MACHINE: dict[str, object] = {
    "sub": "mch_1",
    "azp": None,
    "sid": None,
    "sts": None,
    "v": None,
    "jti": "mt_1",
    "aud": ["mch_2"],
    "scope": "clerkwork:read",
}


@pytest.mark.parametrize("category", [None, "cl_B7d4PD333AAA", "cl_I7d4PD111III"])
def test_a_machine_is_believed_where_machines_are_allowed(
    sign: Sign, public_pem: str, category: str | None
) -> None:
    """It is no user, has no session, and may what its scopes say."""
    token = sign(header={"cat": category}, **MACHINE)

    caller = verify(token, public_pem, rules=MACHINES, machines=True)

    assert caller.is_machine
    assert (caller.clerk_id, caller.session_id) == ("mch_1", None)
    assert caller.scopes == {"clerkwork:read"}


def test_a_machine_is_refused_where_users_are_meant(sign: Sign, public_pem: str) -> None:
    """Neither the handler nor the settings alone let it in."""
    token = sign(header={"cat": "cl_B7d4PD333AAA"}, **MACHINE)
    old = sign(header={"cat": None}, **MACHINE)

    for each in (token, old):
        assert refusal(each, public_pem, rules=MACHINES) == "not_a_session"
        with pytest.raises(UnauthenticatedError) as caught:
            verify(each, public_pem, rules=RULES, machines=True)
        assert caught.value.reason == "not_a_session"


@pytest.mark.parametrize(
    ("category", "sub"),
    [
        ("cl_B7d4PD333AAA", "user_1"),
        ("cl_B7d4PD111AAA", "mch_1"),
        ("cl_B7d4PD222AAA", "mch_1"),
        ("cl_B7d4PD333AAA", "mch_"),
        ("cl_B7d4PD333AAA", "org_1"),
    ],
)
def test_category_and_subject_must_agree(
    sign: Sign, public_pem: str, category: str, sub: str
) -> None:
    """A template's token that names a machine is no machine's, and none's a user's."""
    token = sign(header={"cat": category}, **MACHINE | {"sub": sub})

    with pytest.raises(UnauthenticatedError) as caught:
        verify(token, public_pem, rules=MACHINES, machines=True)

    assert caught.value.reason == "not_a_session"


def test_a_machines_token_must_expire(sign: Sign, public_pem: str) -> None:
    """Clerk makes others too; nobody could withdraw one."""
    token = sign(header={"cat": "cl_B7d4PD333AAA"}, **MACHINE | {"exp": None})

    with pytest.raises(UnauthenticatedError) as caught:
        verify(token, public_pem, rules=MACHINES, machines=True)

    assert caught.value.reason == "malformed"
