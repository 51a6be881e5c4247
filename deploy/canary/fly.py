"""One flight of the canary: posted like a webhook of Clerk's, seen on the change topic and the API.

Its users are marked by their ids: nobody sees them, and their changes say nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

from deploy.post import Delivery, post
from deploy.sign import new_event_id
from schema.kafka.changes import CANARY_PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from deploy.canary.listen import Listener

USERS: Final = 16
"""How many users a canary has, one flight after the other: so that a late one is not mistaken."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a canary flies."""

    ingest_url: str
    api_url: str
    secret: str
    """With which its webhooks are signed."""
    instance_id: str | None
    """The Clerk instance that they say they are from."""
    name: str
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class Flight:
    """How many seconds after the post it was where; None where it never came."""

    accepted_s: float | None = None
    topic_s: float | None = None
    api_s: float | None = None

    @property
    def lost_at(self) -> str | None:
        """Where it was seen first no more: `accepted`, `topic`, `api`; None when it arrived."""
        stations = {"accepted": self.accepted_s, "topic": self.topic_s, "api": self.api_s}
        return next((name for name, seconds in stations.items() if seconds is None), None)


async def fly(
    number: int, route: Route, *, session: aiohttp.ClientSession, listener: Listener
) -> Flight:
    """Fly once, which takes no longer than the route's timeout twice over."""
    clerk_id = f"{CANARY_PREFIX}-{route.name}-{number % USERS}"
    version = time.time_ns() // 1_000_000
    body = write_canary(clerk_id, version, instance_id=route.instance_id)
    with listener.expecting(clerk_id) as heard:
        started = time.perf_counter()
        delivery = Delivery(event_id=new_event_id(), body=body)
        answer = await post(session, route.ingest_url, delivery, secret=route.secret)
        if answer.status != 202:
            return Flight()
        accepted_s = time.perf_counter() - started
        topic_s, api_s = await asyncio.gather(
            _measure(heard.wait(), started, route.timeout_s),
            _measure(_appear(session, route, clerk_id, version), started, route.timeout_s),
        )
    return Flight(accepted_s=accepted_s, topic_s=topic_s, api_s=api_s)


def write_canary(clerk_id: str, version: int, *, instance_id: str | None) -> bytes:
    """Return the body of a webhook about a canary; `version` is its time, in ms."""
    event = {
        "type": "user.updated",
        "object": "event",
        "timestamp": version,
        "instance_id": instance_id,
        "data": {"object": "user", "id": clerk_id, "created_at": version, "updated_at": version},
    }
    return json.dumps(event).encode()


async def _measure(arrival: Awaitable[object], started: float, timeout_s: float) -> float | None:
    try:
        async with asyncio.timeout(timeout_s):
            await arrival
    except TimeoutError:
        return None
    return time.perf_counter() - started


async def _appear(
    session: aiohttp.ClientSession, route: Route, clerk_id: str, version: int
) -> None:
    """Return once the API tells this version, or a later one; ask ever more seldom."""
    url, pause = f"{route.api_url}/canary/{clerk_id}", 0.005
    while await _ask(session, url) < version:
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, 0.25)


async def _ask(session: aiohttp.ClientSession, url: str) -> int:
    try:
        async with session.get(url) as response:
            answer = await response.json() if response.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return -1
    return int(answer.get("version", -1))
