"""Finding the token of a request, and the key for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import make_mocked_request

from schema.http.tokens.callers import CALLER, Authenticator, find_token
from schema.http.tokens.claims import TokenRules, UnauthenticatedError
from schema.http.tokens.keys import KeysUnavailableError, PemKey, UnknownKeyError, parse_pem

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    Sign = Callable[..., str]


@pytest.mark.parametrize(
    ("authorization", "cookie", "token"),
    [
        ("Bearer abc", None, "abc"),
        ("bearer  abc ", None, "abc"),
        ("Bearer abc", "xyz", "abc"),
        (None, "xyz", "xyz"),
        ("Basic dTpw", "xyz", "xyz"),
        ("Bearer", "xyz", ""),
        ("Bearer ", None, ""),
    ],
)
def test_where_a_token_is_found(authorization: str | None, cookie: str | None, token: str) -> None:
    """A bearer token wins; only the bearer scheme is looked at."""
    assert find_token(authorization=authorization, cookie=cookie) == token


@pytest.mark.parametrize("authorization", [None, "", "Basic dTpw", "Bearerabc"])
def test_without_a_token_the_caller_is_told_so(authorization: str | None) -> None:
    """Nothing to verify is another reason than something wrong."""
    with pytest.raises(UnauthenticatedError) as caught:
        find_token(authorization=authorization, cookie=None)

    assert caught.value.reason == "missing"


async def test_a_caller_is_noted_on_the_request(sign: Sign, public_pem: str) -> None:
    """So that the log line of the request can name them."""
    authenticator = Authenticator(PemKey(parse_pem(public_pem)), TokenRules())
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {sign()}"})

    caller = await authenticator.authenticate(request)

    assert request[CALLER] is caller


async def test_only_the_cookie_of_the_exact_name_counts(sign: Sign, public_pem: str) -> None:
    """Clerk's Python SDK takes the first cookie that begins with the name; we do not."""
    authenticator = Authenticator(PemKey(parse_pem(public_pem)), TokenRules())
    cookies = f"__session_abc={sign(sub='user_2')}; __session={sign()}"
    request = make_mocked_request("GET", "/", headers={"Cookie": cookies})

    caller = await authenticator.authenticate(request)

    assert caller.clerk_id == "user_1"


class Keyless:
    """A source whose keys are `error`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def find(self, _key_id: str | None) -> RSAPublicKey:
        """Fail."""
        raise self.error

    async def check(self) -> None:
        """Fail."""
        raise self.error

    @property
    def failing(self) -> bool:
        """Say so."""
        return True


async def test_an_unknown_key_is_the_callers_fault(sign: Sign) -> None:
    """Clerk was asked and does not have the key: 401."""
    authenticator = Authenticator(Keyless(UnknownKeyError()), TokenRules())
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {sign()}"})

    with pytest.raises(UnauthenticatedError) as caught:
        await authenticator.authenticate(request)

    assert caught.value.reason == "unknown_key"


async def test_unreachable_keys_are_not_the_callers_fault(sign: Sign) -> None:
    """Nobody can say whether the token is good: 503, and when to come back."""
    authenticator = Authenticator(Keyless(KeysUnavailableError()), TokenRules())
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {sign()}"})

    with pytest.raises(KeysUnavailableError) as caught:
        await authenticator.authenticate(request)

    assert (caught.value.status, caught.value.code) == (503, "KEYS_UNAVAILABLE")
    assert caught.value.headers == {"Retry-After": "5"}


async def test_machines_come_in_only_where_they_are_asked_for(sign: Sign, public_pem: str) -> None:
    """What takes users alone needs not think of them."""
    rules = TokenRules(machines=True)
    authenticator = Authenticator(PemKey(parse_pem(public_pem)), rules)
    token = sign(header={"cat": "cl_B7d4PD333AAA"}, sub="mch_1")
    request = make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {token}"})

    assert (await authenticator.authenticate(request, machines=True)).is_machine
    with pytest.raises(UnauthenticatedError) as caught:
        await authenticator.authenticate(request)

    assert caught.value.reason == "not_a_session"
