"""Requests by the clock: what a wait is, and what is not taken for an answer."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.bench import paced
from tests.bench.bench import Server
from tests.bench.paced import RefusedError, percentiles
from tests.bench.wrk import make_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

REQUEST = make_request("GET", "/", {"accept": "*/*"})
pace = partial(paced.pace, connections=2)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced, "WARM_S", 0.0)


@contextlib.asynccontextmanager
async def answering(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Server]:
    """Serve, one request after the other on each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await answer(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Server(pid=0, port=server.sockets[0].getsockname()[1])


async def test_a_wait_counts_from_when_a_request_was_due() -> None:
    """Who answers nothing for a while keeps those waiting who would have come meanwhile."""
    gate = asyncio.Event()
    first = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        if not first.is_set():
            first.set()
            asyncio.get_running_loop().call_later(0.3, gate.set)
        await gate.wait()
        writer.write(OK + b"{}")

    async with answering(answer) as server:
        waits = await pace(server, [REQUEST], rate=100, seconds=0.5)

    assert len(waits) == 50
    assert max(waits) > 200
    # Two connections: had the next request been sent after an answer only, two would have waited.
    assert sum(wait > 50 for wait in waits) > 10


async def test_an_answer_in_pieces_is_one_answer() -> None:
    """It is there when all of its body is."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in (OK[:20], OK[20:], b"{", b"}"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    async with answering(answer) as server:
        assert len(await pace(server, [REQUEST], rate=200, seconds=0.1)) == 20


async def test_a_refusal_is_no_answer() -> None:
    """Refusing is quick, and would make a server look fast."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")

    async with answering(answer) as server:
        with pytest.raises(RefusedError, match="429"):
            await pace(server, [REQUEST], rate=200, seconds=0.1)


def test_percentiles_are_of_all() -> None:
    """p99 of a hundred is nearly the longest."""
    found = percentiles([float(n) for n in range(1, 102)])

    assert (found["p50"], found["p95"], found["p99"]) == pytest.approx((51, 96.9, 100.98))
