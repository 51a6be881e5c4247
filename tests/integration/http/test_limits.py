"""Rate limits at the doors: whom they count, whom they never stop, what they say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.factories import new_user_id, user_event
from tests.factories import sign as sign_webhook

if TYPE_CHECKING:
    import httpx

    from tests.integration.http.conftest import Front, Open, Sign

DECISIONS = "clerkwork_rate_limit_decisions_total"


async def ask(front: Front, path: str = "/v1/me", **headers: str) -> httpx.Response:
    """Ask for `path`; header names are written with underscores."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await front.http.get(path, headers=sent)


async def test_a_limit_is_told_and_kept(open_api: Open) -> None:
    """As the IETF's draft has it, on every answer; a 429 says when to come again."""
    async with open_api(api_rate_limits="show_me=2/minute/ip, *=100/minute/ip") as front:
        answers = [await ask(front) for _ in range(3)]
        other = await ask(front, "/none")

        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert [answer.headers["RateLimit-Policy"] for answer in answers] == [
            '"show_me-ip";q=2;w=60'
        ] * 3
        assert answers[0].headers["RateLimit"].startswith('"show_me-ip";r=1;t=')
        error = answers[2].json()["error"]
        assert (error["code"], error["details"]) == ("RATE_LIMITED", {"limit": "show_me-ip"})
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 61
        assert other.headers["RateLimit"].startswith('"default-ip";r=99;t=')
        assert await front.metric(f'{DECISIONS}{{limit="show_me-ip",outcome="limited"}}') == 1
        assert await front.metric(f'{DECISIONS}{{limit="show_me-ip",outcome="allowed"}}') == 2


async def test_users_are_counted_by_what_their_tokens_prove(open_api: Open, sign: Sign) -> None:
    """A token that only claims to be somebody's costs them nothing."""
    async with open_api(api_rate_limits="show_me=2/minute/user") as front:
        one, two = (f"Bearer {sign(user)}" for user in ("user_1", "user_2"))
        forged = one[:-8] + "AAAAAAAA"
        for _ in range(5):
            assert (await ask(front, Authorization=forged)).status_code == 401
        mine = [(await ask(front, Authorization=one)).status_code for _ in range(3)]
        other = (await ask(front, Authorization=two)).status_code

    assert mine == [503, 503, 429]  # 503: there is no database here
    assert other == 503


async def test_who_acts_for_nobody_is_counted_by_themselves(open_api: Open, sign: Sign) -> None:
    """Where organizations are counted, and the token names none."""
    async with open_api(api_rate_limits="show_me=1/minute/organization") as front:
        tokens = [f"Bearer {sign(user)}" for user in ("user_1", "user_1", "user_2")]
        statuses = [(await ask(front, Authorization=token)).status_code for token in tokens]

    assert statuses == [503, 429, 503]


async def test_webhooks_and_probes_are_never_limited(open_ingest: Open) -> None:
    """What Clerk sends would be lost in the end, and a prober would restart us."""
    async with open_ingest(ingest_rate_limits="*=1/day/ip", ingest_publish_timeout_ms=100) as front:
        body = user_event(new_user_id(), at=0)
        posts = [
            await front.http.post("/webhooks/clerk", content=body, headers=sign_webhook(body))
            for _ in range(3)
        ]
        probes = [await ask(front, "/livez") for _ in range(3)]
        strangers = [await ask(front, "/none") for _ in range(2)]

    assert {answer.status_code for answer in posts} == {503}  # there is no Kafka here
    assert {answer.status_code for answer in probes} == {200}
    assert [answer.status_code for answer in strangers] == [404, 429]
    assert "RateLimit" not in posts[0].headers


async def test_limits_can_be_off(open_api: Open) -> None:
    """Then nobody is told of any."""
    async with open_api(api_rate_limits="off") as front:
        answer = await ask(front)

    assert answer.status_code == 401
    assert "RateLimit" not in answer.headers
    assert "RateLimit-Policy" not in answer.headers


async def test_names_are_checked_at_start(open_either: Open) -> None:
    """A limit on what is not there would limit nobody."""
    with pytest.raises(SystemExit, match="there is no shwo_me"):
        async with open_either(
            api_rate_limits="shwo_me=1/minute/ip", ingest_rate_limits="shwo_me=1/minute/ip"
        ):
            pass


@pytest.mark.parametrize(("hops", "statuses"), [(0, [404, 429, 429]), (1, [404, 404, 429])])
async def test_addresses_are_believed_from_our_proxies_only(
    open_either: Open, hops: int, statuses: list[int]
) -> None:
    """A stranger who writes X-Forwarded-For gets no fresh limit by it."""
    async with open_either(
        trusted_proxy_hops=hops,
        api_rate_limits="*=1/day/ip",
        ingest_rate_limits="*=1/day/ip",
    ) as front:
        said = ["6.6.6.6, 192.0.2.1", "7.7.7.7, 192.0.2.2", "8.8.8.8, 192.0.2.1"]
        found = [(await ask(front, "/none", X_Forwarded_For=each)).status_code for each in said]

    assert found == statuses


async def test_forgeries_are_counted_behind_proxies_too(open_ingest: Open) -> None:
    """One forger behind our proxy locks nobody else out."""
    async with open_ingest(trusted_proxy_hops=1, ingest_forgeries_per_minute=2) as front:

        async def forge(source: str) -> int:
            headers = {"X-Forwarded-For": source}
            answer = await front.http.post("/webhooks/clerk", json={}, headers=headers)
            return answer.status_code

        statuses = [await forge("192.0.2.1") for _ in range(3)]
        other = await forge("192.0.2.2")

    assert (statuses, other) == ([400, 400, 429], 400)


async def test_many_at_once_get_no_more(open_api: Open) -> None:
    """Counting and deciding are one step."""
    async with open_api(api_rate_limits="show_me=10/hour/ip") as front:
        answers = await asyncio.gather(*(ask(front) for _ in range(40)))

    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 30
