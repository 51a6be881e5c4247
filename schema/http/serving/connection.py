"""One connection: aiohttp's protocol, with deadlines for heads and bodies, and our own errors.

aiohttp bounds neither: a client that sends a byte now and then may keep a connection for ever.
https://cheatsheetseries.owasp.org/cheatsheets/Denial_of_Service_Cheat_Sheet.html
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from aiohttp.streams import StreamReader

    from schema.http.serving.door import Door

log = structlog.get_logger(__name__)

FULL: Final = HttpError(
    "CONNECTIONS_EXHAUSTED", "Too many connections are open.", headers={"Retry-After": "5"}
)
LATE: Final = HttpError("REQUEST_TIMEOUT", "The request did not arrive in time.")


class Connection(web.RequestHandler):
    """Speaks HTTP with one client."""

    __slots__ = ("_door", "_heard", "_payload", "_serving", "_timer", "source")

    def __init__(self, door: Door, *, loop: asyncio.AbstractEventLoop, **arguments: Any) -> None:
        super().__init__(door, loop=loop, **arguments)
        self._door = door
        self.source: str | None = None
        """What its client is counted as, while it is."""
        self._heard = False
        self._serving = False
        self._payload: StreamReader | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or say that there is no room."""
        peer = transport.get_extra_info("peername")
        if self._door.admit(self, str(peer[0]) if isinstance(peer, tuple) else ""):
            super().connection_made(transport)
            self._expect_head()
            return
        if isinstance(transport, asyncio.Transport):
            transport.write(self._door.write_off(FULL))
        transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._stop_timer()
        self._door.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that begins must end in time."""
        if self.transport is None:
            return
        begins = not self._serving and (self._payload is None or self._payload.is_eof())
        if begins:
            self._heard = True
        super().data_received(data)
        if self._messages:
            self._break_body()
        elif begins and self._timer is None:
            self._expect_head()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  # its name
        """Read on where reading has stopped.

        aiohttp asks for it with every body that was read, and has nothing parsed again each time.
        """
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def begin(self, payload: StreamReader) -> None:
        """Note that a head has been read, and expect the body that comes with it."""
        self._stop_timer()
        self._heard = False
        self._serving = True
        self._payload = payload
        self._door.wake(self)
        if not payload.is_eof():
            timer = self._loop.call_later(self._door.bounds.body_timeout_s, self._cut_body, payload)
            self._timer = timer
            payload.on_eof(timer.cancel)
            self._break_body()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer, and rest."""
        if self._door.leaving.is_set():
            resp.force_close()  # the next request had better go elsewhere
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._serving = False
            self._end_body()
            self._door.rest(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # aiohttp's words about a request stay here
    ) -> web.StreamResponse:
        """Return the envelope where aiohttp would write plain text."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is half sent")
        if status != HTTPStatus.BAD_REQUEST:
            log.error("unexpected_error", exc_info=exc)
            error = HttpError("INTERNAL_ERROR", "Something went wrong on our side.")
        elif isinstance(exc, LineTooLong):
            self._door.count("head_too_large")
            error = HttpError("HEADERS_TOO_LARGE", "The request line or a header is too long.")
        else:
            self._door.count("unreadable")
            error = HttpError("BAD_REQUEST", "The request is not readable HTTP.")
        return self._door.answer(error, request)

    def give_way(self) -> None:
        """Close a connection that rests."""
        self.force_close()

    def _expect_head(self) -> None:
        self._timer = self._loop.call_later(self._door.bounds.head_timeout_s, self._cut_head)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _break_body(self) -> None:
        """Tell who reads a body that it broke; aiohttp only queues the error behind the request."""
        payload = self._payload
        if self._messages and payload and not payload.is_eof() and not payload.exception():
            payload.set_exception(web.RequestPayloadError())

    def _end_body(self) -> None:
        """Have no body of the request that was answered end the next one's time, or be awaited."""
        if self._payload is None:
            return
        if self._payload.exception() is not None and not self._payload.is_eof():
            self._payload.feed_eof()  # it broke: there is no rest that could be read
            self.close()
        if self._payload.is_eof():
            self._stop_timer()

    def _cut_head(self) -> None:
        self._timer = None
        if self._serving or self.transport is None:
            return
        self._door.count("head_timeout")
        if self._heard:  # who never said anything expects no answer
            self.transport.write(self._door.write_off(LATE))
        self.force_close()

    def _cut_body(self, payload: StreamReader) -> None:
        self._timer = None
        self._door.count("body_timeout")
        payload.set_exception(
            HttpError(
                "REQUEST_TIMEOUT",
                "The body did not arrive in time.",
                headers={"Connection": "close"},
            )
        )
        # Nobody waits for the rest, and what still comes of it is not read.
        payload.feed_eof()
        self.close()
