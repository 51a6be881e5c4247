"""Relieve: how one process takes the place of another, and clients do not notice.

Where others listen on the port, it begins to when it is ready, for then it gets its share of what
comes at once. When it is told to stop,

1. it says that it is not ready, and goes on: load balancers look every few seconds
2. each answer is the last on its connection, so that clients come to know of other processes
3. where others listen on the port, the kernel sends it nobody new any more
4. who waits in its queue is let in, the listener is closed, and who came last is heard

What is under way then gets its time as ever: that is aiohttp's.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final

import structlog

from schema.ops.probes import READINESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from schema.http.serving.door import Door

log = structlog.get_logger(__name__)

READY_S: Final = 2.0
"""How long those who share a port wait until they are ready; then they listen as they are."""
HANDSHAKE_S: Final = 0.5
"""A connection that has begun is complete then: longer than the way to any client and back."""
FIRST_WORD_S: Final = 1.0
"""How long those may take to say something who came last."""

_LOOKS: Final = 50
_SO_ATTACH_FILTER: Final = 26
"""asm-generic/socket.h; Python has no name for it."""
# The 14th byte of a TCP header has its flags (RFC 9293 §3.1): none with SYN, 2, passes.
_NO_SYN: Final = struct.pack(
    "@HBBIHBBIHBBIHBBI",
    *(0x30, 0, 0, 13),  # load that byte
    *(0x45, 0, 1, 0x02),  # with the flag go on, without it skip one
    *(0x06, 0, 0, 0),  # drop
    *(0x06, 0, 0, 0xFFFF),  # pass
)


class Orders:
    """What the process is told by signals: to leave, and when it is told again, to make haste."""

    def __init__(self) -> None:
        self.leave = asyncio.Event()
        self._haste = asyncio.Event()

    def hear(self) -> None:
        """Take a signal."""
        (self._haste if self.leave.is_set() else self.leave).set()

    async def pause(self, seconds: float) -> None:
        """Return after so long, or at once when haste is made."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._haste.wait()


async def become_ready(
    app: web.Application, orders: Orders, *, host: str | None = None, port: int | None = None
) -> None:
    """Return when the process could serve; after READY_S in any case, so that it can be asked.

    Where nobody listens yet it need not wait.
    """
    with contextlib.suppress(OSError):
        async with asyncio.timeout(READY_S):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            for _ in range(_LOOKS):
                ready, _ = await app[READINESS].look()
                if ready:
                    return
                await orders.pause(READY_S / _LOOKS)


async def take_leave(site: web.BaseSite, door: Door, orders: Orders, *, shared: bool) -> None:
    """Close the listener; return when nobody is left in front of the door. Takes two seconds.

    `shared` says that others listen on its port.
    """
    if shared:
        turn_away(site._server.sockets)  # type: ignore[union-attr]  # noqa: SLF001  # no other way
        await orders.pause(HANDSHAKE_S)
    await site.stop()
    for _ in range(_LOOKS):
        if not door.awaits:
            return
        await orders.pause(FIRST_WORD_S / _LOOKS)


def turn_away(listeners: Iterable[socket.socket]) -> None:
    """Have the kernel let in nobody new, while what waits in a listener's queue stays.

    Closing a listener resets its queue, with others on the port or not (they would be given it
    with net.ipv4.tcp_migrate_req only). So the first packet of a connection is dropped until it
    is empty: a client sends that again after a second, and then somebody else has the port.
    See socket(7), SO_ATTACH_FILTER. Only Linux can.
    """
    if sys.platform != "linux":
        return
    code = ctypes.create_string_buffer(_NO_SYN, len(_NO_SYN))
    program = struct.pack("@HP", len(_NO_SYN) // 8, ctypes.addressof(code))
    for listener in listeners:
        with socket.socket(fileno=os.dup(listener.fileno())) as twin:
            try:
                twin.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            except OSError as error:  # a sandbox that forbids it costs some connections
                log.warning("connections_not_turned_away", reason=type(error).__name__)
