"""Remembering verified tokens: never a second longer than verifying them would find them good."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest.mock import patch

import jwt
import pytest
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from schema.http.tokens import callers
from schema.http.tokens.callers import Authenticator
from schema.http.tokens.claims import (
    LEEWAY_S,
    Caller,
    TokenRules,
    UnauthenticatedError,
    read_key_id,
    verify_token,
)
from schema.http.tokens.jwks import SUCCESS_PAUSE_S, TTL_S, JwksKeys
from schema.http.tokens.keys import PemKey, UnknownKeyError
from schema.http.tokens.memo import MAX_BYTES, OVERHEAD, Memo, Verified
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    Sign = Callable[..., str]

T0: Final = 1_800_000_000
RULES: Final = TokenRules(machines=True)


class World:
    """A clock that only tests move, and the keys that are trusted."""

    def __init__(self, keys: Mapping[str, RSAPublicKey]) -> None:
        self.now = float(T0)
        self.keys = keys

    def clock(self) -> float:
        """Tell the time."""
        return self.now

    async def find(self, key_id: str | None) -> RSAPublicKey:
        """Return a key, as Clerk's set does."""
        try:
            return self.keys[key_id or ""]
        except KeyError:
            raise UnknownKeyError from None

    async def check(self) -> None:
        """Return: there are keys, or not."""

    @property
    def failing(self) -> bool:
        """Never."""
        return False

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """Let PyJWT live by the clock too."""

        class Moment(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one is enough
                return datetime.fromtimestamp(self.now, tz or UTC)

        with patch("jwt.api_jwt.datetime", Moment):
            yield


@pytest.fixture(scope="module")
def pair(signing_key: RSAPrivateKey) -> tuple[RSAPrivateKey, RSAPrivateKey]:
    """Clerk's key, and the one that comes after it."""
    return signing_key, rsa.generate_private_key(public_exponent=65537, key_size=2048)


def token_of(key: RSAPrivateKey, *, kid: str = "ins_1", cat: str = "", **claims: object) -> str:
    """Sign a token of the moment T0."""
    known = {"exp": T0 + 60, "iat": T0, "nbf": T0 - 10, "sub": "user_1", "sid": "sess_1"}
    headers = {"kid": kid} | ({"cat": cat} if cat else {})
    return jwt.encode(known | claims, key, algorithm="RS256", headers=headers)


async def ask(authenticator: Authenticator, token: str, *, machines: bool = False) -> Caller | str:
    """Return who the bearer is, or why they are not believed."""
    headers = {"Authorization": f"Bearer {token}"}
    request = make_mocked_request("GET", "/", headers=headers)
    try:
        return await authenticator.authenticate(request, machines=machines)
    except UnauthenticatedError as error:
        return error.reason


async def plainly(world: World, token: str, *, machines: bool) -> Caller | str:
    """Return the same without any memory."""
    try:
        key = await world.find(read_key_id(token, machines=machines))
        return verify_token(token, key=key, rules=RULES, machines=machines)
    except UnknownKeyError:
        return "unknown_key"
    except UnauthenticatedError as error:
        return error.reason


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the tokens whose signatures are verified."""
    seen: list[str] = []

    def verify(token: str, **rest: Any) -> Caller:
        seen.append(token)
        return verify_token(token, **rest)

    monkeypatch.setattr(callers, "verify_token", verify)
    return seen


async def test_a_token_is_verified_once(
    pair: tuple[RSAPrivateKey, RSAPrivateKey], verified: list[str]
) -> None:
    """And after its time it is refused as if it had never been seen."""
    world = World({"ins_1": pair[0].public_key()})
    authenticator = Authenticator(world, RULES, memo=Memo(clock=world.clock))
    token = token_of(pair[0])
    with world.ruling():
        first = await ask(authenticator, token)
        world.now += 60 + LEEWAY_S - 0.25
        last = await ask(authenticator, token)

        assert isinstance(first, Caller)
        assert last is first
        assert verified == [token]
        world.now += 0.25
        assert await ask(authenticator, token) == "expired"


async def test_what_was_good_is_not_good_before_its_time(
    pair: tuple[RSAPrivateKey, RSAPrivateKey],
) -> None:
    """A clock that is set back makes it a token of the future."""
    world = World({"ins_1": pair[0].public_key()})
    authenticator = Authenticator(world, RULES, memo=Memo(clock=world.clock))
    token = token_of(pair[0], nbf=T0)
    with world.ruling():
        assert isinstance(await ask(authenticator, token), Caller)
        world.now -= LEEWAY_S + 1

        assert await ask(authenticator, token) == "not_yet_valid"


async def test_a_token_ends_with_its_key(
    pair: tuple[RSAPrivateKey, RSAPrivateKey], verified: list[str]
) -> None:
    """Whether Clerk gave it up, or serves another one by the same name."""
    world = World({"ins_1": pair[0].public_key()})
    authenticator = Authenticator(world, RULES, memo=Memo(clock=world.clock))
    token = token_of(pair[0])
    with world.ruling():
        await ask(authenticator, token)
        world.keys = {"ins_2": pair[1].public_key()}
        assert await ask(authenticator, token) == "unknown_key"
        world.keys = {"ins_1": pair[1].public_key()}
        assert await ask(authenticator, token) == "bad_signature"
        world.keys = {"ins_1": pair[0].public_key()}
        assert isinstance(await ask(authenticator, token), Caller)
        assert len(verified) == 3  # once more for the key that came back


async def test_a_token_ends_with_its_key_in_the_set_that_clerk_serves(
    pair: tuple[RSAPrivateKey, RSAPrivateKey], sign: Sign
) -> None:
    """As soon as the set is fetched again: it is, while the old one still serves."""
    jwk = RSAAlgorithm.to_jwk(pair[0].public_key(), as_dict=True)
    served, now = ["ins_1"], [1000.0]

    async def fetch() -> bytes:
        return json.dumps({"keys": [{**jwk, "kid": each} for each in served]}).encode()

    keys = JwksKeys(fetch, clock=lambda: now[0])
    authenticator, token = Authenticator(keys, RULES), sign()
    assert isinstance(await ask(authenticator, token), Caller)
    served[:] = ["ins_2"]
    now[0] += TTL_S + SUCCESS_PAUSE_S

    found = await until(lambda: ask(authenticator, token), lambda seen: seen == "unknown_key")

    assert found == "unknown_key"


async def test_one_letter_makes_another_token(sign: Sign, signing_key: RSAPrivateKey) -> None:
    """Wherever it stands: nothing like a remembered token is taken for it."""
    authenticator = Authenticator(PemKey(signing_key.public_key()), RULES)
    token = sign()
    assert isinstance(await ask(authenticator, token), Caller)
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        changed = f"{token[:place]}{other}{token[place + 1 :]}"
        found = await ask(authenticator, changed)
        # The last letter holds bits that Base64 ignores: the same bytes, so the same signature.
        ignored = place == len(token) - 1 and _bytes(changed) == _bytes(token)

        assert ignored or isinstance(found, str), place


def _bytes(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")


async def test_what_a_machine_may_is_not_remembered_for_users(
    pair: tuple[RSAPrivateKey, RSAPrivateKey],
) -> None:
    """Where machines are not let in, theirs is no session, seen before or not."""
    world = World({"ins_1": pair[0].public_key()})
    authenticator = Authenticator(world, RULES, memo=Memo(clock=world.clock))
    token = token_of(pair[0], cat="cl_B7d4PD333AAA", sub="mch_1")
    with world.ruling():
        assert isinstance(await ask(authenticator, token, machines=True), Caller)

        assert await ask(authenticator, token) == "not_a_session"


def made(caller: Caller, key: RSAPublicKey) -> Verified:
    """Return what is remembered."""
    return Verified(caller, "ins_1", key, time.time())


def somebody(**changes: Any) -> Caller:
    """Return a caller."""
    values: dict[str, Any] = {
        "clerk_id": "user_1",
        "user_id": None,
        "expires_at": int(time.time()) + 60,
    }
    return Caller(**(values | changes))


def test_the_memory_is_bounded(signing_key: RSAPrivateKey) -> None:
    """In bytes, and so in tokens; what was not asked for the longest goes first."""
    key, memo = signing_key.public_key(), Memo(max_bytes=3 * OVERHEAD)
    for name in ("a", "b", "c"):
        memo.keep(name, made(somebody(), key), machines=False)
    assert memo.find("a", machines=False)
    memo.keep("d", made(somebody(), key), machines=False)

    assert [bool(memo.find(name, machines=False)) for name in "abcd"] == [True, False, True, True]
    assert (len(memo), memo.bytes) == (3, 3 * OVERHEAD)
    assert MAX_BYTES // OVERHEAD < 20_000


def test_who_says_much_takes_more(signing_key: RSAPrivateKey) -> None:
    """And who says too much is verified each time."""
    key, memo = signing_key.public_key(), Memo(max_bytes=3 * OVERHEAD)
    talkative = frozenset(f"scope:{number:04}" for number in range(20))
    memo.keep("a", made(somebody(scopes=talkative), key), machines=False)
    assert memo.bytes > 2 * OVERHEAD
    endless = frozenset(f"scope:{number:04}" for number in range(200))
    memo.keep("b", made(somebody(scopes=endless), key), machines=False)

    assert memo.find("a", machines=False)
    assert memo.find("b", machines=False) is None


def test_what_has_expired_makes_room(signing_key: RSAPrivateKey) -> None:
    """It is let go when the next token comes."""
    now = [time.time()]
    memo = Memo(clock=lambda: now[0])
    key = signing_key.public_key()
    memo.keep("a", made(somebody(), key), machines=False)
    now[0] += 100
    memo.keep("b", made(somebody(expires_at=int(now[0]) + 60), key), machines=False)

    assert (len(memo), memo.bytes) == (1, OVERHEAD)


def test_no_token_is_kept(sign: Sign, signing_key: RSAPrivateKey) -> None:
    """Nor a part of one that would be worth stealing: its digest and its claims are."""
    authenticator = Authenticator(PemKey(signing_key.public_key()), RULES)
    token = sign()
    asyncio.run(ask(authenticator, token))
    kept = repr(vars(authenticator._memo._verified))

    assert "user_1" in kept
    assert all(part not in kept for part in token.split("."))


class Asked(NamedTuple):
    """A step of a history: a token is shown."""

    token: int
    machines: bool


STEPS: Final = st.lists(
    st.one_of(
        st.builds(Asked, st.integers(0, 8), st.booleans()),
        st.integers(-160, 160).map(lambda quarters: quarters / 4),
        st.dictionaries(st.sampled_from(["ins_1", "ins_2"]), st.integers(0, 1)),
    ),
    max_size=30,
)


@given(steps=STEPS, room=st.sampled_from([1, 2, 100]))
async def test_memory_changes_no_verdict(
    pair: tuple[RSAPrivateKey, RSAPrivateKey],
    tokens: list[str],
    steps: list[Asked | float | dict[str, int]],
    room: int,
) -> None:
    """Tokens in any order, the clock set on and back, keys that come, go and change names."""
    publics = [key.public_key() for key in pair]
    world = World({"ins_1": publics[0]})
    memo = Memo(max_bytes=room * OVERHEAD, clock=world.clock)
    authenticator = Authenticator(world, RULES, memo=memo)
    with world.ruling():
        for step in steps:
            if isinstance(step, Asked):
                token = tokens[step.token]
                found = await ask(authenticator, token, machines=step.machines)
                assert found == await plainly(world, token, machines=step.machines)
                assert len(memo) <= room
            elif isinstance(step, dict):
                world.keys = {name: publics[number] for name, number in step.items()}
            else:
                world.now += step


@pytest.fixture(scope="module")
def tokens(pair: tuple[RSAPrivateKey, RSAPrivateKey]) -> list[str]:
    """Tokens of several keys, times and kinds, and one that nobody signed."""
    old, new = pair
    good = token_of(old)
    return [
        good,
        token_of(new, kid="ins_2"),
        token_of(old, sub="user_2", exp=T0 + 20),
        token_of(old, nbf=T0 + 15, sid="sess_2"),
        token_of(new, iat=T0 + 10, exp=T0 + 100),
        token_of(old, cat="cl_B7d4PD333AAA", sub="mch_1"),
        token_of(old, cat="cl_I7d4PD111III", sub="mch_2"),
        token_of(old, scope="clerkwork:read", o={"id": "org_1", "rol": "admin"}),
        good[:-9] + ("AAAAA" if good[-9:-4] != "AAAAA" else "BBBBB") + good[-4:],
    ]
