"""Requests that come when they come, however slow the answers are.

Arrivals are drawn beforehand (a Poisson process) and latency counts from there, also while all
connections wait for answers: who only asks once the last answer is here does not notice that
others would have waited meanwhile. Good for some 8,000 a second; timers have 1 ms.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from dataclasses import dataclass, field
from random import Random
from statistics import quantiles
from typing import TYPE_CHECKING, Final, cast

from deploy.stack.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.bench import Server

CONNECTIONS: Final = 256
MOST: Final = 8_000.0
"""A second; with more, waits of our own would be measured."""
TICK_S: Final = 0.001
WARM_S: Final = 0.5
"""What comes first is sent and not counted."""
PATIENCE_S: Final = 30.0
HEAD_END: Final = b"\r\n\r\n"


class RefusedError(Exception):
    """Something but success was answered; the status line says what."""


@dataclass(kw_only=True)
class _Pace:
    """What is due, who is free to send it, and what came of it."""

    requests: Sequence[bytes]
    free: list[_Connection] = field(default_factory=list)
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    """When it was due, and what it is."""

    latencies: list[float] = field(default_factory=list)
    ended: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    expected: int = 0
    over: bool = False

    def send_waiting(self) -> None:
        while self.waiting and self.free:
            due, request = self.waiting.popleft()
            self.free.pop().send(request, due=due)

    def note(self, latency: float) -> None:
        self.latencies.append(latency)
        if len(self.latencies) == self.expected and not self.ended.done():
            self.ended.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.over and not self.ended.done():
            self.ended.set_exception(error)


class _Connection(asyncio.Protocol):
    """A connection, with at most one request on its way."""

    def __init__(self, pace: _Pace) -> None:
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of a stream, which a server has
        self._pace.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._pace.free:
            self._pace.free.remove(self)  # nobody has asked over it for long
        else:
            self._pace.fail(exc or ConnectionResetError())

    def send(self, request: bytes, *, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(HEAD_END)
        if not found:
            return
        lowered = head.lower()
        if not lowered.startswith(b"http/1.1 2"):
            self._pace.fail(RefusedError(head.partition(b"\r\n")[0].decode()))
            return
        length = lowered.partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._received = b""
            self._pace.note(self._loop.time() - self._due)
            self._pace.free.append(self)
            self._pace.send_waiting()


async def pace(
    server: Server,
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int = CONNECTIONS,
    seed: int = 1,
) -> Sequence[float]:
    """Send requests at that rate; return how long each answer took from when it was due, in ms.

    Whoever paces several kinds of requests at once gives each a `seed` of its own.

    Raises RefusedError where success is not answered, TimeoutError when answers do not come.
    """
    loop = asyncio.get_running_loop()
    pace = _Pace(requests=requests, expected=max(2, int(rate * (WARM_S + seconds))))
    opened = [
        (await loop.create_connection(lambda: _Connection(pace), LOOPBACK, server.port))[1]
        for _ in range(connections)
    ]
    gc.disable()  # its pauses would be taken for the server's
    try:
        await _send_when_due(pace, rate=rate, seed=seed)
        async with asyncio.timeout(PATIENCE_S):
            await pace.ended
    finally:
        gc.enable()
        pace.over = True
        for connection in opened:
            connection.close()
    warm = min(int(rate * WARM_S), pace.expected - 2)
    return [latency * 1000 for latency in pace.latencies[warm:]]


async def _send_when_due(pace: _Pace, *, rate: float, seed: int) -> None:
    loop = asyncio.get_running_loop()
    chance = Random(seed)  # noqa: S311  # the same arrivals each time
    due = loop.time() + TICK_S
    for number in range(pace.expected):
        due += chance.expovariate(rate)
        if (early := due - loop.time()) > 0:
            await asyncio.sleep(max(early, TICK_S))
        pace.waiting.append((due, pace.requests[number % len(pace.requests)]))
        pace.send_waiting()
        if pace.ended.done():
            break


def percentiles(latencies: Sequence[float]) -> Mapping[str, float]:
    """Return p50, p95 and p99."""
    cuts = quantiles(latencies, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
