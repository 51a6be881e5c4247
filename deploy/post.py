"""Post signed webhooks, many at once, at a steady pace."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from deploy.sign import sign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

AT_ONCE: Final = 32
"""Requests under way at the same time."""
TIMEOUT_S: Final = 15.0
"""Svix gives up after as long."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One attempt to deliver a webhook; two with one id are a repetition."""

    event_id: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int | None
    """None where nobody answered."""
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """What the answer calls itself: `accepted`, `INVALID_SIGNATURE`, `no answer`."""
        if self.status is None:
            return "no answer"
        error = self.body.get("error")
        return str(error["code"] if isinstance(error, dict) else self.body.get("status", "other"))


@asynccontextmanager
async def opened_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open connections while the context lasts."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
    ) as session:
        yield session


async def post(
    session: aiohttp.ClientSession, url: str, delivery: Delivery, *, secret: str
) -> Answer:
    """Sign, post, and return the answer. Raises OperatorError when secret or URL cannot be."""
    headers = sign(delivery.body, secret=secret, event_id=delivery.event_id)
    try:
        async with session.post(url, data=delivery.body, headers=headers) as response:
            return Answer(status=response.status, body=await _read_json(response))
    except (aiohttp.ClientError, TimeoutError):
        return Answer(status=None)


async def _read_json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        body = await response.json(content_type=None)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def paced(
    tasks: Iterable[Callable[[], Awaitable[None]]], *, per_second: float | None
) -> None:
    """Run the tasks in order, AT_ONCE of them together, so many begun each second.

    Raises what a task raises, after cancelling the others.
    """
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(AT_ONCE)
    begin = loop.time()

    async def run(task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        finally:
            slots.release()

    async with asyncio.TaskGroup() as group:
        for number, task in enumerate(tasks):
            await slots.acquire()
            if per_second:
                await asyncio.sleep(begin + number / per_second - loop.time())
            group.create_task(run(task))
