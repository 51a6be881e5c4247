"""Every failure of both services, whoever notices it: the envelope, and all headers."""

from __future__ import annotations

import email
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from schema.http.faults import FAULTS

if TYPE_CHECKING:
    from email.message import Message

    from tests.integration.http.conftest import Front

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Content-Type": "application/json; charset=utf-8",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Server": "clerkwork",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

HEAD = b"Host: x\r\nConnection: close\r\n"
POST = b"POST /webhooks/clerk HTTP/1.1\r\nContent-Type: application/json\r\n" + HEAD
CHUNKED = b"Transfer-Encoding: chunked\r\n"

FAILURES: dict[str, tuple[tuple[bytes, ...], int, str]] = {
    "no HTTP": ((b"\x16\x03\x01\x02\r\n\r\n",), 400, "BAD_REQUEST"),
    "half a request line": ((b"GET\r\n\r\n",), 400, "BAD_REQUEST"),
    "HTTP/2 by prior knowledge": ((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), 400, "BAD_REQUEST"),
    "no host": ((b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",), 400, "BAD_REQUEST"),
    "a header without a name": (
        (b"GET / HTTP/1.1\r\n" + HEAD + b": x\r\n\r\n",),
        400,
        "BAD_REQUEST",
    ),
    "bytes in the path": ((b"GET /\xff\xfe HTTP/1.1\r\n" + HEAD + b"\r\n",), 400, "BAD_REQUEST"),
    "a path that is not UTF-8": ((b"GET /%ff HTTP/1.1\r\n" + HEAD + b"\r\n",), 400, "BAD_REQUEST"),
    "a broken escape": ((b"GET /%zz HTTP/1.1\r\n" + HEAD + b"\r\n",), 400, "BAD_REQUEST"),
    "half an escape": ((b"GET /a%2 HTTP/1.1\r\n" + HEAD + b"\r\n",), 400, "BAD_REQUEST"),
    "two lengths": (
        (POST + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n0\r\n\r\n",),
        400,
        "BAD_REQUEST",
    ),
    "no length": ((POST + b"Content-Length: many\r\n\r\nabc",), 400, "BAD_REQUEST"),
    "a long line": (
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",),
        431,
        "HEADERS_TOO_LARGE",
    ),
    "a long header": (
        (b"GET / HTTP/1.1\r\n" + HEAD + b"a: " + b"b" * 9000 + b"\r\n\r\n",),
        431,
        "HEADERS_TOO_LARGE",
    ),
    "long headers": (
        (b"GET / HTTP/1.1\r\n" + HEAD + (b"a: " + b"b" * 6000 + b"\r\n") * 3 + b"\r\n",),
        431,
        "HEADERS_TOO_LARGE",
    ),
    "many headers": (
        (b"GET / HTTP/1.1\r\n" + HEAD + b"a: b\r\n" * 100 + b"\r\n",),
        400,
        "BAD_REQUEST",
    ),
    "an expectation": (
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"Expect: tea\r\n\r\n",),
        417,
        "EXPECTATION_FAILED",
    ),
    "no such route": ((b"GET /none HTTP/1.1\r\n" + HEAD + b"\r\n",), 404, "NOT_FOUND"),
    "nothing to connect to": ((b"CONNECT x:80 HTTP/1.1\r\n" + HEAD + b"\r\n",), 404, "NOT_FOUND"),
    "the server itself": ((b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n",), 404, "NOT_FOUND"),
    "no such method": (
        (b"POST /livez HTTP/1.1\r\nContent-Length: 0\r\n" + HEAD + b"\r\n",),
        405,
        "METHOD_NOT_ALLOWED",
    ),
}


def read_answer(wire: bytes) -> tuple[int, Message, Any]:
    """Return status, headers and JSON of one whole answer."""
    head, _, body = wire.partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    return int(line.split()[1]), email.message_from_bytes(fields), json.loads(body)


def check_failure(wire: bytes, status: int, code: str) -> Message:
    """Check that `wire` is one answer, in the envelope and with every header."""
    found, headers, body = read_answer(wire)
    error = body["error"]

    assert (found, error["code"]) == (status, code) == (FAULTS[code].status, code)
    assert error["requestId"] == headers["X-Request-ID"]
    assert datetime.fromisoformat(error["timestamp"])
    assert error["message"]
    assert body.keys() == {"error"}
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert len(headers.get_all("X-Request-ID") or []) == 1
    return headers


@pytest.mark.parametrize("name", FAILURES)
async def test_every_failure_is_in_the_envelope(either: Front, name: str) -> None:
    """Also what aiohttp cannot read, and answers before any middleware."""
    parts, status, code = FAILURES[name]

    check_failure(await either.speak(*parts), status, code)


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ((POST + CHUNKED + b"\r\n", b"3\r\nabc\r\n", b"zz\r\n"), 400, "BAD_REQUEST"),
        (
            (POST + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n", b"abc"),
            400,
            "BAD_REQUEST",
        ),
        ((POST + b"Content-Length: 600000\r\n\r\n" + b" " * 600_000,), 413, "PAYLOAD_TOO_LARGE"),
        ((POST + b"Content-Length: 3\r\n\r\n{}\n",), 400, "MISSING_HEADER"),
    ],
)
async def test_broken_bodies_are_the_senders_fault(
    open_ingest: Any, parts: tuple[bytes, ...], status: int, code: str
) -> None:
    """A bad chunk, bad gzip, too much of it: a 4xx, never a 500."""
    async with open_ingest() as front:
        check_failure(await front.speak(*parts), status, code)


async def test_a_405_says_what_is_allowed(either: Front) -> None:
    """RFC 9110 §15.5.6."""
    parts, status, code = FAILURES["no such method"]
    headers = check_failure(await either.speak(*parts), status, code)

    assert headers["Allow"] == "GET,HEAD"
