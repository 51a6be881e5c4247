"""Stream: changes as server-sent events, from a cursor up to now and then as they come.

A stream ends with `event: end`, which says why; the client may come back with the id of the last
event it has seen. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import structlog
from aiohttp import web

from api.authorize import admit, is_admin
from api.database import DatabaseUnavailableError, Pool
from api.page import MAX_LIMIT, ChangesPage, encode_position
from api.present import encode, present_event
from api.resume import next_position, read_on
from api.subscription import Frame, Subscription
from schema.http.errors import HttpError
from schema.http.request_ids import HEADER as REQUEST_ID_HEADER
from schema.http.request_ids import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.bound import Places
    from api.follow import Tail
    from api.read import Changes, Standing
    from schema.http.tokens.claims import Caller
    from schema.ops.metrics import ApiMetrics

log = structlog.get_logger(__name__)

RETRY_MS: Final = 2000
"""When a browser comes back by itself."""
TICK_S: Final = 1.0
"""How soon a stream notices that its client has gone."""
PAUSE_S: Final = 1.0
"""Between two tries to read from a database that is away."""
GOODBYE_S: Final = 2.0
"""How long a client that takes no data gets to take the last event."""
LONGEST_S: Final = 86_400.0
"""No stream is longer, whatever its token says."""

_GOODBYES: Final = {
    "TOKEN_EXPIRED": "The session token has expired: come back with a new one.",
    "SHUTTING_DOWN": "This server is going away: come back, another will answer.",
    "SLOW_CLIENT": "The events were not taken in time.",
    "ROLE_CHANGED": "The caller's role has changed, and with it what may be seen.",
    "INTERNAL_ERROR": "Something went wrong on our side.",
}


class _EndError(Exception):
    """The stream ends, and its client is told why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = _GOODBYES[code]


@dataclass(frozen=True, kw_only=True)
class StreamLimits:
    """What an operator decides of streams."""

    heartbeat_s: float
    """A quiet stream says this often that it is there."""
    patience_s: float
    """A client that takes what it is sent no sooner is dropped."""
    buffer: int
    """So many changes wait for a stream in memory; when there are more it reads them again."""
    outage_s: float
    """Streams outlive a database that is away no longer than this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Streams:
    """All open streams of this process, and what they share."""

    pool: Pool
    tail: Tail
    metrics: ApiMetrics
    limits: StreamLimits
    places: Places
    _open: set[_Stream] = field(default_factory=set)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(
        self, request: web.Request, *, caller: Caller, first: Changes
    ) -> web.StreamResponse:
        """Answer with a stream that begins with the page `first`; return when it is over."""
        stream = _Stream(self, request, caller, first)
        with self._counted(stream):
            return await stream.run()

    def close(self) -> None:
        """End all streams now, and those that are yet to begin at once."""
        self._closing.set()
        for stream in self._open:
            stream.end_now()

    @property
    def closing(self) -> bool:
        """Whether the process is going away."""
        return self._closing.is_set()

    @contextmanager
    def _counted(self, stream: _Stream) -> Iterator[None]:
        self._open.add(stream)
        self.metrics.streams.inc()
        try:
            yield
        finally:
            self._open.discard(stream)
            self.metrics.streams.dec()


STREAMS: Final = web.AppKey("streams", Streams)
"""Where the handler finds them."""


class _Stream:
    def __init__(
        self, streams: Streams, request: web.Request, caller: Caller, first: Changes
    ) -> None:
        self._streams = streams
        self._limits = streams.limits
        self._tail = streams.tail
        self._request = request
        self._caller = caller
        self._first = first
        self._cursor = 0
        self._sees_all = is_admin(first.standing)
        self._response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "Vary": "Accept",
                REQUEST_ID_HEADER: request[REQUEST_ID],
                "X-Accel-Buffering": "no",  # else nginx collects events before it passes them on
            }
        )
        self._response.force_close()
        self._life = asyncio.timeout(min(max(caller.expires_at - time.time(), 0.0), LONGEST_S))
        self._beat_at = 0.0

    def end_now(self) -> None:
        """End in the middle of whatever it does."""
        with suppress(RuntimeError):  # it has ended already, or not begun
            self._life.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> web.StreamResponse:
        await self._response.prepare(self._request)
        code, message = "CLIENT_GONE", ""  # which a server may tell by cancelling us
        try:
            code, message = await self._live()
        finally:
            self._streams.metrics.streams_ended.labels(code.lower()).inc()
        if code != "CLIENT_GONE":
            await self._say_goodbye(code, message)
        return self._response

    async def _live(self) -> tuple[str, str]:
        """Send until there is a reason to end, and return its code and message."""
        try:
            async with self._life:
                await self._send()
        except (_EndError, HttpError) as error:
            return error.code, error.message
        except ConnectionError:
            return "CLIENT_GONE", ""
        except Exception as error:
            if isinstance(error, TimeoutError) and self._life.expired():
                code = "SHUTTING_DOWN" if self._streams.closing else "TOKEN_EXPIRED"
                return code, _GOODBYES[code]
            log.exception("stream_failed")
            return "INTERNAL_ERROR", _GOODBYES["INTERNAL_ERROR"]

    async def _say_goodbye(self, code: str, message: str) -> None:
        data = encode({"code": code, "message": message})
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._response.write(b"event: end\ndata: %s\n\n" % data)
                await self._response.write_eof()
        except TimeoutError:
            if self._request.transport:
                self._request.transport.abort()
        except ConnectionError:
            pass

    async def _send(self) -> NoReturn:
        if self._streams.closing:
            raise _EndError("SHUTTING_DOWN")
        await self._write(b"retry: %d\n" % RETRY_MS)
        await self._send_page(self._first)
        await self._beat()
        await self._catch_up(self._first.head if self._first.more else 0)
        subscription = Subscription(self._caller, self._first.standing, limit=self._limits.buffer)
        with self._tail.attached(subscription, at=self._cursor):
            while True:
                subscription.reset()
                # What comes after this is offered from now on, so that nothing lies between.
                await self._catch_up(self._tail.position or 0)
                await self._pass_on(subscription)

    async def _catch_up(self, goal: int) -> None:
        """Send what the database has, up to `goal` at least."""
        while self._cursor < goal:
            await self._send_page(await self._read_page())

    async def _read_page(self) -> Changes:
        page = ChangesPage(limit=MAX_LIMIT, since=self._cursor)
        gives_up_at = time.monotonic() + self._limits.outage_s
        while True:
            try:
                return await read_on(self._streams.pool, caller=self._caller, page=page)
            except DatabaseUnavailableError:
                if time.monotonic() > gives_up_at:
                    raise
            await asyncio.sleep(PAUSE_S)
            await self._beat_when_due()

    async def _send_page(self, page: Changes) -> None:
        self._check(page.standing)
        frames = [Frame(each.position, present_event(each)) for each in page.changes]
        await self._send_frames(frames, cursor=next_position(page))

    async def _pass_on(self, subscription: Subscription) -> None:
        """Send what the tail reads, until it reads more than the subscription holds."""
        while True:
            frames = await subscription.take(within_s=TICK_S)
            self._check(subscription.standing)
            if self._tail.away_s() > self._limits.outage_s:
                raise DatabaseUnavailableError
            if subscription.behind:
                return
            # Nothing is left of what was read up to here.
            position = self._tail.position or 0
            new = [frame for frame in frames if frame.position > self._cursor]
            for start in range(0, len(new), MAX_LIMIT):
                part = new[start : start + MAX_LIMIT]
                await self._send_frames(part, cursor=part[-1].position)
            self._cursor = max(self._cursor, position)
            await self._beat_when_due()

    async def _send_frames(self, frames: Sequence[Frame], *, cursor: int) -> None:
        self._cursor = cursor
        if not frames:
            return
        await self._write(b"".join(frame.data for frame in frames))
        self._streams.metrics.stream_events.inc(len(frames))

    async def _beat_when_due(self) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        if time.monotonic() >= self._beat_at:
            await self._beat()

    async def _beat(self) -> None:
        """Say up to where the stream is complete: an id without an event."""
        await self._write(b": heartbeat\nid: %s\n\n" % encode_position(self._cursor).encode())

    async def _write(self, data: bytes) -> None:
        self._beat_at = time.monotonic() + self._limits.heartbeat_s
        try:
            async with asyncio.timeout(self._limits.patience_s):
                await self._response.write(data)
        except TimeoutError:
            raise _EndError("SLOW_CLIENT") from None

    def _check(self, standing: Standing | None) -> None:
        """Raise what ends the stream of a caller who may not see this any more, or more now."""
        admit(standing)
        if is_admin(standing) != self._sees_all:
            raise _EndError("ROLE_CHANGED")
