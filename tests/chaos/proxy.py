"""A network that can be bad: stands between a client and a server and does what it is told.

Delays, holds, cuts and resets are for every connection through it, until `heal`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final, Self

from deploy.stack.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

PIECE: Final = 64 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a port of its own and hands on to `target`, a port of this machine."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.target = target
        self.delay_s = 0.0
        """How long each piece is on its way."""
        self.held = 0
        """How many pieces have been held since the last `heal`."""
        self._requests, self._answers = asyncio.Event(), asyncio.Event()
        self._accepting = True
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._server: asyncio.Server | None = None
        self.heal()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
        tasks = list(self._connections)
        self._end(Connection.cut)
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many connections there are through it."""
        return len(self._connections)

    def heal(self) -> None:
        """Be a good network again; what was held goes on its way."""
        self.delay_s = 0.0
        self.held = 0
        self._accepting = True
        self._requests.set()
        self._answers.set()

    def hold_requests(self) -> None:
        """Keep what clients say from the server; they notice only that no answer comes."""
        self._requests.clear()

    def hold_answers(self) -> None:
        """Let the server hear and act, but keep its answers from the clients."""
        self._answers.clear()

    def hold(self) -> None:
        """Be a black hole in both directions."""
        self.hold_requests()
        self.hold_answers()

    def refuse(self) -> None:
        """Reset every connection, also those to come."""
        self._accepting = False
        self.reset()

    def cut(self) -> None:
        """End every connection as a server that shuts down would."""
        self._end(Connection.cut)

    def reset(self) -> None:
        """End every connection with a TCP reset, as a server that is gone would."""
        self._end(Connection.reset)

    def crash(self, chance: random.Random) -> None:
        """End every connection one way or the other, as a server that is killed does."""
        for task, connection in list(self._connections.items()):
            chance.choice([connection.cut, connection.reset])()
            task.cancel()

    def _end(self, how: Callable[[Connection], None]) -> None:
        for task, connection in list(self._connections.items()):
            how(connection)
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Connection(reader, writer)
        task = asyncio.current_task()
        assert task
        self._connections[task] = client
        try:
            if self._accepting:
                await self._hand_on(client)
            else:
                client.reset()
        except (OSError, EOFError, asyncio.CancelledError):
            client.cut()
        finally:
            del self._connections[task]

    async def _hand_on(self, client: Connection) -> None:
        server = Connection(*await asyncio.open_connection(LOOPBACK, self.target))
        ways = [
            asyncio.ensure_future(self._carry(client, server, gate=self._requests)),
            asyncio.ensure_future(self._carry(server, client, gate=self._answers)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.cut()
            client.cut()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, source: Connection, sink: Connection, *, gate: asyncio.Event) -> None:
        while piece := await source.reader.read(PIECE):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            self.held += not gate.is_set()
            await gate.wait()
            sink.writer.write(piece)
            await sink.writer.drain()


class Connection:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def cut(self) -> None:
        """End it in order."""
        self.writer.close()

    def reset(self) -> None:
        """End it with a reset."""
        raw: socket.socket | None = self.writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()
