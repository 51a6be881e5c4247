"""Keeping Clerk's served keys: when they are fetched, and what happens when they cannot be."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest
from jwt.algorithms import RSAAlgorithm

from schema.http.tokens.jwks import FAILURE_PAUSE_S, SUCCESS_PAUSE_S, TTL_S, JwksKeys
from schema.http.tokens.keys import KeysUnavailableError, UnknownKeyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


class Clerk:
    """Serves the key ids it has, or does not answer; counts how often it was asked."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self.jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.key_ids = ["ins_1"]
        self.away = False
        self.fetches = 0
        self.now = 1000.0
        self.asked = asyncio.Event()
        self.hold: asyncio.Event | None = None

    async def fetch(self) -> bytes:
        """Answer as fetch_jwks does."""
        self.fetches += 1
        self.asked.set()
        if self.hold:
            await self.hold.wait()
        if self.away:
            raise aiohttp.ClientConnectionError
        return json.dumps({"keys": [{**self.jwk, "kid": each} for each in self.key_ids]}).encode()

    def clock(self) -> float:
        """Tell a time that only tests move."""
        return self.now


@pytest.fixture
def clerk(signing_key: RSAPrivateKey) -> Clerk:
    """Clerk with one key."""
    return Clerk(signing_key)


@pytest.fixture
def keys(clerk: Clerk) -> JwksKeys:
    """Keys that have not been fetched yet."""
    return JwksKeys(clerk.fetch, clock=clerk.clock)


async def test_keys_are_fetched_once_and_kept(
    clerk: Clerk, keys: JwksKeys, signing_key: RSAPrivateKey
) -> None:
    """The first token pays for the fetch, those of the next hour do not."""
    assert await keys.find("ins_1") == signing_key.public_key()

    clerk.now += TTL_S - 1

    assert await keys.find("ins_1") == signing_key.public_key()
    assert clerk.fetches == 1


async def test_stale_keys_are_fetched_again(clerk: Clerk, keys: JwksKeys) -> None:
    """A key that Clerk withdrew is gone an hour later."""
    await keys.find("ins_1")
    clerk.key_ids = ["ins_2"]
    clerk.now += TTL_S
    await keys.check()  # as each look at readiness does

    assert await keys.find("ins_2")
    with pytest.raises(UnknownKeyError):
        await keys.find("ins_1")
    assert clerk.fetches == 2


async def test_stale_keys_serve_while_clerk_is_away(clerk: Clerk, keys: JwksKeys) -> None:
    """And Clerk is asked again, though not by every request."""
    await keys.find("ins_1")
    clerk.away = True
    clerk.now += TTL_S

    for _ in range(10):
        assert await keys.find("ins_1")
        await asyncio.sleep(0)
    assert clerk.fetches == 2

    clerk.now += FAILURE_PAUSE_S
    assert await keys.find("ins_1")
    await asyncio.sleep(0)
    assert clerk.fetches == 3


async def test_a_new_key_is_found_by_asking_again(clerk: Clerk, keys: JwksKeys) -> None:
    """Rotation needs no restart."""
    await keys.find("ins_1")
    clerk.key_ids = ["ins_1", "ins_2"]
    clerk.now += SUCCESS_PAUSE_S

    assert await keys.find("ins_2")
    assert clerk.fetches == 2


async def test_invented_key_ids_cause_few_fetches(clerk: Clerk, keys: JwksKeys) -> None:
    """A flood of forged tokens is not passed on to Clerk."""
    await keys.find("ins_1")

    for second in range(60):
        clerk.now += 1
        with pytest.raises(UnknownKeyError):
            await keys.find(f"forged_{second}")

    assert clerk.fetches == 3


@pytest.mark.parametrize("key_id", [None, ""])
async def test_a_token_without_a_key_id_has_no_key(keys: JwksKeys, key_id: str | None) -> None:
    """A set is of no use without a name to look up."""
    with pytest.raises(UnknownKeyError):
        await keys.find(key_id)


async def test_a_burst_of_requests_is_one_fetch(clerk: Clerk, keys: JwksKeys) -> None:
    """The first request after a start does not come alone."""
    found = await asyncio.gather(*(keys.find("ins_1") for _ in range(1000)))

    assert len(found) == 1000
    assert clerk.fetches == 1


async def test_a_burst_while_clerk_is_away_is_one_fetch(clerk: Clerk, keys: JwksKeys) -> None:
    """Requests do not queue up to wait for the same failure in turn."""
    clerk.away = True

    results = await asyncio.gather(*(keys.find("ins_1") for _ in range(50)), return_exceptions=True)

    assert {type(each) for each in results} == {KeysUnavailableError}
    assert clerk.fetches == 1


async def test_nobody_with_a_known_key_waits_for_a_clerk_that_hangs(
    clerk: Clerk, keys: JwksKeys
) -> None:
    """A stale set serves a thousand requests while it is fetched, once, behind their backs."""
    await keys.find("ins_1")
    clerk.now += TTL_S
    clerk.asked.clear()
    clerk.hold = asyncio.Event()

    async with asyncio.timeout(20):
        assert all(await asyncio.gather(*(keys.find("ins_1") for _ in range(1000))))
        await clerk.asked.wait()
        assert await keys.find("ins_1")

    assert clerk.fetches == 2
    clerk.hold.set()


async def test_who_names_an_unknown_key_delays_only_themselves(
    clerk: Clerk, keys: JwksKeys
) -> None:
    """Strangers wait for a Clerk that hangs; users go on."""
    await keys.find("ins_1")
    clerk.now += SUCCESS_PAUSE_S
    clerk.hold = asyncio.Event()
    strangers = [asyncio.create_task(keys.find(f"forged_{each}")) for each in range(100)]
    clerk.asked.clear()
    await clerk.asked.wait()

    async with asyncio.timeout(20):
        assert await keys.find("ins_1")

    clerk.hold.set()
    results = await asyncio.gather(*strangers, return_exceptions=True)
    assert {type(each) for each in results} == {UnknownKeyError}
    assert clerk.fetches == 2


async def test_a_failure_leaves_clerk_alone_and_shows(clerk: Clerk, keys: JwksKeys) -> None:
    """The circuit is open for as long as nobody asks, and closes with the first answer."""
    clerk.away = True
    with pytest.raises(KeysUnavailableError):
        await keys.find("ins_1")
    assert keys.failing

    clerk.away = False
    with pytest.raises(KeysUnavailableError):
        await keys.find("ins_1")
    assert clerk.fetches == 1

    clerk.now += FAILURE_PAUSE_S
    assert await keys.find("ins_1")
    assert not keys.failing


async def test_an_unknown_key_while_clerk_is_away_is_nobodys_fault(
    clerk: Clerk, keys: JwksKeys
) -> None:
    """The key may be a new one: nobody can say, so it is not a 401."""
    await keys.find("ins_1")
    clerk.away = True
    clerk.now += SUCCESS_PAUSE_S

    with pytest.raises(KeysUnavailableError):
        await keys.find("ins_2")


async def test_readiness_follows_the_keys(clerk: Clerk, keys: JwksKeys) -> None:
    """Not ready without any key; ready as soon as there is one, and from then on."""
    clerk.away = True
    with pytest.raises(KeysUnavailableError):
        await keys.check()

    clerk.away = False
    clerk.now += FAILURE_PAUSE_S
    await keys.check()

    clerk.away = True
    clerk.now += TTL_S
    await keys.check()


async def test_garbage_does_not_replace_keys(clerk: Clerk, keys: JwksKeys) -> None:
    """A set without keys counts as no answer."""
    await keys.find("ins_1")
    clerk.key_ids = []
    clerk.now += TTL_S

    assert await keys.find("ins_1")
