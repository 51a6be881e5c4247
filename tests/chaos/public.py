"""The public: clients who try nothing twice, so that whatever goes wrong is seen."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from api.page import decode_position
from deploy.stack.ports import LOOPBACK
from tests.chaos.stories import body_of
from tests.factories import SECRET, sign

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.chaos.stories import Story

KEPT: Final = 6
"""Clients who keep their connection; some take a new one for each request."""
RETRY_S: Final = 0.2
"""After which a stream that has ended is begun again."""


@dataclass(kw_only=True)
class Public:
    """Senders of webhooks and commands, readers, and one who follows the changes."""

    ingest: int
    api: int
    """The ports of both."""
    token: str
    """Of a user who may read everything."""
    story: Story
    chance: random.Random
    secret: str = SECRET
    """What webhooks are signed with."""
    pause_s: float = 0.08
    """How long each rests after an answer."""
    told: int = 0
    """How many events of the story have been sent; after all of them, some again."""
    posts: dict[str, str] = field(default_factory=dict)
    """Command -> the post that it creates."""
    followed: list[int] = field(default_factory=list)
    """The positions of the changes that the stream has brought."""
    answers: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)
    """Whatever was not the answer that it should be."""
    _cursor: str = ""
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Have one of them follow the changes while the context lasts."""
        async with self._session(kept=False) as http:
            task = asyncio.create_task(self._follow(http))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Have all others send and read while it lasts, and until the whole story is told."""
        telling = self._tell()
        async with contextlib.AsyncExitStack() as stack:
            sessions = [self._session(kept=number < KEPT) for number in range(KEPT + 1)]
            kept = [await stack.enter_async_context(each) for each in sessions]
            new = kept.pop()
            ways: list[Callable[[], Awaitable[None]]] = [
                *(partial(self._send, http, telling) for http in (*kept[:3], new)),
                *(partial(self._command, http) for http in (kept[3], new)),
                *(partial(self._read, http) for http in (*kept[4:], new)),
            ]
            tasks = [asyncio.create_task(self._go_on(way)) for way in ways]
            try:
                yield
                self._over.set()
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def refused(self, secret: str) -> bool:
        """Say whether a webhook signed with `secret` is refused."""
        body = body_of(self.story.told[0])
        async with (
            self._session(kept=False) as http,
            http.post(self._hooks, data=body, headers=sign(body, secret=secret)) as answer,
        ):
            return answer.status == 401

    @property
    def _hooks(self) -> str:
        return f"http://{LOOPBACK}:{self.ingest}/webhooks/clerk"

    def _session(self, *, kept: bool) -> aiohttp.ClientSession:
        connector = (
            aiohttp.TCPConnector(limit=1) if kept else aiohttp.TCPConnector(force_close=True)
        )
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=10, sock_read=10),
            headers={"Authorization": f"Bearer {self.token}"},
        )
        session._retry_connection = False  # as aiohttp's own tests do
        return session

    def _tell(self) -> Iterator[Any]:
        for each in self.story.told:
            self.told += 1
            yield each
        while True:  # Svix repeats, too
            yield self.chance.choice(self.story.told)

    async def _go_on(self, act: Callable[[], Awaitable[None]]) -> None:
        while not self._over.is_set() or self.told < len(self.story.told):
            try:
                await act()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.mistakes.append(repr(error))
            await asyncio.sleep(self.pause_s)

    async def _send(self, http: aiohttp.ClientSession, telling: Iterator[Any]) -> None:
        told = next(telling)
        body = body_of(told)
        headers = sign(body, event_id=told.event_id, secret=self.secret)
        async with http.post(self._hooks, data=body, headers=headers) as answer:
            await self._note("webhook", answer, 202)

    async def _command(self, http: aiohttp.ClientSession) -> None:
        url = f"http://{LOOPBACK}:{self.ingest}/v1/posts"
        post = {"title": f"{len(self.posts)}", "body": "", "status": "published"}
        async with http.post(url, json=post) as answer:
            said = await self._note("command", answer, 202)
            self.posts[said["event_id"]] = said["id"]

    async def _read(self, http: aiohttp.ClientSession) -> None:
        async with http.get(f"http://{LOOPBACK}:{self.api}/v1/users?limit=5") as answer:
            await self._note("read", answer, 200)

    async def _note(self, what: str, answer: aiohttp.ClientResponse, wanted: int) -> Any:
        said = await answer.json()
        self.answers[what] += 1
        if answer.status != wanted:
            self.mistakes.append(f"{what}: {answer.status} {said['error']['code']}")
        return said

    async def _follow(self, http: aiohttp.ClientSession) -> None:
        """Follow the changes from the first; where a stream ends, the next goes on."""
        while True:
            try:
                end = await self._hear(http)
            except (aiohttp.ClientError, TimeoutError) as error:
                end = repr(error)
            if "SHUTTING_DOWN" not in end:
                self.mistakes.append(f"stream: {end}")
            self.answers["stream"] += 1
            await asyncio.sleep(RETRY_S)

    async def _hear(self, http: aiohttp.ClientSession) -> str:
        """Note what a stream brings, and return what it says in the end."""
        url = f"http://{LOOPBACK}:{self.api}/v1/changes"
        headers = {"Accept": "text/event-stream"}
        if self._cursor:
            headers["Last-Event-ID"] = self._cursor
        kind, timeout = "", aiohttp.ClientTimeout(sock_read=30)
        async with http.get(url, headers=headers, timeout=timeout) as answer:
            async for line in answer.content:
                name, _, value = line.decode().strip().partition(": ")
                if name == "id":
                    self._cursor = value
                elif name == "event":
                    kind = value
                elif name == "data" and kind == "end":
                    return value
                elif name == "data":
                    self.followed.append(decode_position(self._cursor, field="id"))
            return f"{answer.status} without an end"
