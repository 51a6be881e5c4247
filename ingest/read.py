"""Read the body of a request, bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from aiohttp import web
from aiohttp.hdrs import CONTENT_TYPE

from schema.http.errors import HttpError

BytesT = TypeVar("BytesT", bytes, bytearray)

BODY_TIMEOUT_S: Final = 10.0
"""A sender that takes longer to send its body is let go."""

JSON: Final = "application/json"
"""The only type of body that is taken."""


async def read_body(request: web.Request, *, most_bytes: int) -> bytes:
    """Return the body, unpacked where it came compressed.

    Raises HttpError: 415 where it is said to be something else than JSON, 413 where it is too
    large, 408 where it does not arrive, 400 where it cannot be unpacked.
    """
    # What nearly all send is compared as it came; parsing is for the others.
    if request.headers.get(CONTENT_TYPE) != JSON and request.content_type != JSON:
        raise HttpError("UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
    body = bytearray()
    try:
        if request.content.is_eof():  # as nearly always: the body came with its head
            return _within(request.content.read_nowait(), most_bytes)
        if (request.content_length or 0) > most_bytes:
            raise _too_large(most_bytes)
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                _within(body, most_bytes)
    except (TimeoutError, ConnectionError):  # the latter when the sender has gone
        raise HttpError("REQUEST_TIMEOUT", "The body did not arrive in time.") from None
    except web.RequestPayloadError:
        raise HttpError("BAD_REQUEST", "The body is not encoded as its headers say.") from None
    return bytes(body)


def _within(body: BytesT, most_bytes: int) -> BytesT:
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return body


def _too_large(most_bytes: int) -> HttpError:
    return HttpError("PAYLOAD_TOO_LARGE", f"The body is larger than {most_bytes} bytes.")
