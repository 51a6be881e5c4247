"""Bytes that are hardly HTTP, on real sockets: an answer for each request at most, and in time."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.factories import make_body, sign
from tests.fuzzing import read_corpus, runs, splice

if TYPE_CHECKING:
    import random

    from tests.integration.http.conftest import Front, Open

MUTANTS: Final = 240
"""For each of the two services."""
AT_ONCE: Final = 60
SHORT: Final = {
    "http_head_timeout_s": 0.3,
    "http_body_timeout_s": 0.3,
    "http_keepalive_s": 0.3,
}
WITHIN_S: Final = 8.0
"""What head, body, keep-alive and lingering may take together, on a busy machine."""

HOST: Final = b"Host: x\r\n"
JSON: Final = b"Content-Type: application/json\r\n"
HIDDEN: Final = b"GET /hidden HTTP/1.1\r\nHost: hidden\r\n\r\n"
"""A request that only who is led astray about the end of a body takes for one."""

_PIECES: Final = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"\x00",
        b" ",
        b"\t",
        b"\xff",
        b":",
        b"\x0b",
        b"\xc2\x85",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding : chunked\r\n", b"\r\n chunked"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: -1\r\n"),
    *(
        b"Content-Length: 18446744073709551616\r\n",
        b"Expect: 100-continue\r\n",
        b"X: " + b"a" * 9000,
    ),
    *(
        b"Content-Encoding: gzip\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
        b"%",
        b"%00",
    ),
    *(b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1", b"0\r\n\r\n", b"ffffffffffffffff1\r\n", b";" * 300),
    *(
        b"Cookie: __session=\xff; a\r\n",
        b"Authorization: Bearer a.b.c\r\n",
        b"X-Forwarded-For: ,,\r\n",
    ),
)
_ANSWER: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")

SMUGGLERS: Final = {
    "a length, then chunks": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks, then a length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 44\r\n\r\n",
    "a signed length": b"Content-Length: +0\r\n\r\n",
    "an octal length": b"Content-Length: 0x0\r\n\r\n",
    "a length with a space": b"Content-Length : 0\r\n\r\n",
    "a folded length": b"Content-Length:\r\n 0\r\n\r\n",
    "chunked, and not": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "chunked by another name": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked after a tab": b"Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n",
    "a size that overflows": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    "a negative size": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a size with an underscore": b"Transfer-Encoding: chunked\r\n\r\n0_0\r\n\r\n",
    "bare line feeds": b"Transfer-Encoding: chunked\n\n0\n\n",
    "an extension with a line feed": b"Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n",
}
"""How a request says where its body ends, in two ways at once or in a way that is none.

https://portswigger.net/web-security/request-smuggling, RFC 9112 §6.3 and §11.2
"""


async def ask(front: Front, wire: bytes) -> list[int]:
    """Send `wire`, and return the statuses that came back until the connection was closed."""
    started = time.monotonic()
    heard = await front.speak(wire, within_s=WITHIN_S)
    assert time.monotonic() - started < WITHIN_S
    return [int(status) for status in _ANSWER.findall(heard)]


def seeds() -> list[bytes]:
    """Return requests as they should be: each kind of method, body and end."""
    body = make_body("user.created")
    signed = "".join(f"{name}: {value}\r\n" for name, value in sign(body).items()).encode()
    post = b"POST /webhooks/clerk HTTP/1.1\r\n" + HOST + signed
    size = b"Content-Length: %d\r\n\r\n" % len(body)
    chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return [
        post + size + body,
        post + chunks,
        b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /v1/users?limit=5&cursor=abc HTTP/1.1\r\n"
        + HOST
        + b"Cookie: __session=a.b.c\r\n\r\n",
        b"POST /v1/posts HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 2\r\n\r\n{}",
        b"OPTIONS /v1/posts HTTP/1.1\r\n" + HOST + b"Origin: https://a.example\r\n\r\n",
        b"HEAD /docs HTTP/1.1\r\n" + HOST + b"Range: bytes=0-\r\n\r\n" + b"GET / HTTP/1.0\r\n\r\n",
    ]


def mutate(chance: random.Random, wires: list[bytes]) -> bytes:
    """Return a request with a few of its bytes changed, or cut off."""
    wire = chance.choice(wires)
    for _ in range(chance.choice((1, 1, 2, 4))):
        wire = splice(chance, wire, _PIECES)
    return wire[: chance.randrange(1, len(wire) + 1)] if chance.random() < 0.2 else wire


async def check(front: Front, wire: bytes) -> None:
    """Send `wire` and look at the answers: none says that a fault of ours was found."""
    try:
        found = await ask(front, wire)
        assert not {status for status in found if status >= 500} - {503}
        assert len(found) <= wire.count(b"HTTP/1.") + 1
    except (AssertionError, TimeoutError) as error:
        error.add_note(f"keep it in tests/corpus/wires: {wire!r}")
        raise


async def test_bytes_break_no_service(open_either: Open) -> None:
    """Nor keep it from serving the next."""
    async with open_either(**SHORT) as front:
        for wire in read_corpus("wires"):
            await check(front, wire)
        wires = seeds()
        waiting: list[bytes] = []
        for chance in runs(MUTANTS):
            waiting.append(mutate(chance, wires))
            if len(waiting) == AT_ONCE:
                await asyncio.gather(*(check(front, wire) for wire in waiting))
                waiting = []

        assert (await front.http.get("/livez")).status_code == 200


@pytest.mark.parametrize("path", ["/webhooks/clerk", "/livez"])
async def test_no_request_is_smuggled_in(open_either: Open, path: str) -> None:
    """What ends in two ways is refused, or read in one; what hides behind it has no answer.

    A proxy that reads it in the other way would take that answer for the next client's.
    """
    head = f"POST {path} HTTP/1.1\r\n".encode() + HOST + JSON
    async with open_either(**SHORT) as front:
        found = await asyncio.gather(
            *(ask(front, head + rest + HIDDEN) for rest in SMUGGLERS.values())
        )

    answers = dict(zip(SMUGGLERS, found, strict=True))
    assert {name: said for name, said in answers.items() if len(said) > 1} == {}
    assert {status for said in answers.values() for status in said} <= {400, 404, 405, 408, 501}
