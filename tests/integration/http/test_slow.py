"""Clients that dawdle, and clients that are many."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from tests.integration.http.test_failures import HEAD, POST, check_failure
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.http.conftest import Front, Open

QUICK = {"http_head_timeout_s": 0.3, "http_body_timeout_s": 0.3}
REFUSALS = "clerkwork_http_refusals_total"


@asynccontextmanager
async def connected(front: Front, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Hold connections open that say nothing."""
    async with AsyncExitStack() as stack:
        readers = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
            stack.callback(writer.close)
            readers.append(reader)
        yield readers


async def test_half_a_head_is_cut(open_either: Open) -> None:
    """In time, and with a 408."""
    async with open_either(**QUICK) as front:
        started = time.monotonic()
        wire = await front.speak(b"GET / HTTP/1.1\r\nHost")

        assert 0.2 < time.monotonic() - started < 8
        check_failure(wire, 408, "REQUEST_TIMEOUT")
        assert await front.metric(f'{REFUSALS}{{reason="head_timeout"}}') == 1


async def test_a_trickling_head_is_cut(open_either: Open) -> None:
    """Each byte in time is not enough: the whole head has one deadline."""
    async with open_either(**QUICK) as front:
        wire = await front.speak(*(b"GET / HTTP/1.1\r\nHost: x", *(b"x" for _ in range(40))))

        check_failure(wire, 408, "REQUEST_TIMEOUT")


async def test_the_next_head_has_a_deadline_too(open_either: Open) -> None:
    """One good request earns no right to dawdle over the second."""
    async with open_either(**QUICK) as front:
        good = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        wire = await front.speak(good, b"GET /livez HT")
        first, _, second = wire.partition(b"HTTP/1.1 408")

        assert first.startswith(b"HTTP/1.1 200")
        check_failure(b"HTTP/1.1 408" + second, 408, "REQUEST_TIMEOUT")


async def test_resting_is_no_dawdling(open_either: Open) -> None:
    """A connection rests between requests for as long as it is kept alive."""
    async with open_either(**QUICK) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        for _ in range(2):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP/1.1 200" in await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.5)  # longer than a head may take
        writer.close()


async def test_half_a_body_is_cut(open_ingest: Open) -> None:
    """It has one deadline, whoever reads it."""
    async with open_ingest(**QUICK) as front:
        started = time.monotonic()
        wire = await front.speak(POST + b"Content-Length: 100\r\n\r\n", b"abc")

        assert time.monotonic() - started < 8
        check_failure(wire, 408, "REQUEST_TIMEOUT")


async def test_a_trickling_body_is_cut(open_ingest: Open) -> None:
    """Each byte in time is not enough here either."""
    async with open_ingest(**QUICK) as front:
        drops = (b"x" for _ in range(40))
        wire = await front.speak(POST + b"Content-Length: 100\r\n\r\n", *drops)

        check_failure(wire, 408, "REQUEST_TIMEOUT")
        assert await front.metric(f'{REFUSALS}{{reason="body_timeout"}}') == 1


async def test_who_says_nothing_is_let_go_without_a_word(open_either: Open) -> None:
    """Browsers open connections ahead; an answer to no question would confuse them."""
    async with open_either(**QUICK) as front:
        assert await front.speak() == b""


async def test_silent_connections_starve_nobody(open_either: Open) -> None:
    """With all places taken, the silent give way to who asks."""
    async with open_either(http_connections=200) as front, connected(front, 1500) as readers:
        started = time.monotonic()
        answers = await asyncio.gather(*(front.http.get("/livez") for _ in range(20)))

        assert [answer.status_code for answer in answers] == [200] * 20
        assert time.monotonic() - started < 10
        assert await front.metric("clerkwork_http_connections") <= 200
        assert await front.metric(f'{REFUSALS}{{reason="gave_way"}}') >= 1300
        assert await readers[0].read() == b""


async def test_those_who_are_served_give_way_to_nobody(open_ingest: Open) -> None:
    """Where every place is in use, a newcomer is told so."""
    async with open_ingest(http_connections=2) as front, AsyncExitStack() as stack:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
            stack.callback(writer.close)
            writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n")
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        wire = await front.speak(b"GET /livez HTTP/1.1\r\n" + HEAD + b"\r\n")
        headers = check_failure(wire, 503, "CONNECTIONS_EXHAUSTED")

        assert headers["Retry-After"] == "5"


async def test_one_source_has_its_share(open_either: Open) -> None:
    """Where this is set; its place is free again when a connection ends."""
    async with open_either(http_connections_per_source=3) as front:
        async with connected(front, 3):
            wire = await front.speak(b"GET /livez HTTP/1.1\r\n" + HEAD + b"\r\n")
            check_failure(wire, 503, "CONNECTIONS_EXHAUSTED")

        async def status() -> int:
            return (await front.http.get("/livez")).status_code

        assert await until(status, lambda found: found == 200) == 200
