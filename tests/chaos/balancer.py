"""A load balancer that does what a Kubernetes Service does.

New connections go, in turn, to who is ready; those that exist are left alone. Whether somebody is
ready is asked again and again, so it takes a moment until it is known.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final, Self

import aiohttp

from deploy.stack.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE_S: Final = 0.1
"""How long it rests between two looks at a process."""
PIECE: Final = 64 * 1024


class Balancer:
    """Listens on a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self._ready: dict[int, bool] = {}
        self._turn = itertools.count()
        self._probing: dict[int, asyncio.Task[None]] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, backlog=1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        tasks = [*self._connections, *self._probing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http:
            await self._http.close()

    @property
    def ready(self) -> Mapping[int, bool]:
        """Port -> whether connections go there."""
        return self._ready

    def add(self, port: int) -> None:
        """Begin to ask a process whether it is ready."""
        self._ready[port] = False
        self._probing[port] = asyncio.create_task(self._probe(port))

    def remove(self, port: int) -> None:
        """Forget a process that has ended."""
        self._probing.pop(port).cancel()
        del self._ready[port]

    async def _probe(self, port: int) -> None:
        assert self._http
        while True:
            try:
                async with self._http.get(f"http://{LOOPBACK}:{port}/readyz") as answer:
                    self._ready[port] = answer.status == 200
            except (aiohttp.ClientError, TimeoutError):
                self._ready[port] = False
            await asyncio.sleep(PROBE_S)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            await self._hand_on(reader, writer)
        except (OSError, IndexError):  # refused, reset, or nobody is ready: so it is for the client
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = sorted(port for port, well in self._ready.items() if well)
        port = ready[next(self._turn) % max(len(ready), 1)]
        theirs, ours = await asyncio.open_connection(LOOPBACK, port)
        try:
            async with asyncio.TaskGroup() as ways:
                back = ways.create_task(_carry(theirs, writer))
                there = ways.create_task(_carry(reader, ours))
                await asyncio.wait([back, there], return_when=asyncio.FIRST_COMPLETED)
                # Whichever side ends a connection, HTTP has nothing more to say on it.
                back.cancel()
                there.cancel()
        except* ConnectionError:
            raise ConnectionResetError from None
        finally:
            ours.close()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE):
        sink.write(piece)
        await sink.drain()
