"""The door: which connections may stay, and what those are told that cannot be served."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web

from schema.http.errors import HttpError, error_response, from_aiohttp, raw_answer
from schema.http.request_ids import HEADER, choose_id
from schema.http.serving.connection import Connection
from schema.http.sources import group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

    from schema.ops.metrics import HttpMetrics

log = structlog.get_logger(__name__)

MAX_HEAD_BYTES: Final = 16 * 1024
"""All headers together; a session token is about 1 KiB, a cookie jar up to 4."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What connections may take."""

    head_timeout_s: float
    body_timeout_s: float
    connections: int
    per_source: int
    """0 is unlimited."""


class Door(web.Server):
    """aiohttp's server with a bound on its connections, and on how long each may dawdle."""

    def __init__(
        self,
        inner: web.Server,
        *,
        bounds: Bounds,
        headers: Mapping[str, str],
        metrics: HttpMetrics,
        arguments: Mapping[str, Any],
    ) -> None:
        """Serve what `inner` would; `headers` are on answers that no application makes."""
        super().__init__(self._serve, request_factory=self._begin)
        self.bounds = bounds
        self.leaving = asyncio.Event()
        """Once it is set, each answer is the last on its connection, and says so."""
        self._inner = inner
        self._headers = headers
        self._metrics = metrics
        self._arguments = arguments
        # In the order in which they fell silent; a dictionary is an ordered set.
        self._strangers: dict[Connection, None] = {}
        self._resting: dict[Connection, None] = {}
        self._open = 0
        self._sources: Counter[str] = Counter()

    def __call__(self) -> Connection:
        """Return who speaks with the next client."""
        return Connection(self, loop=asyncio.get_running_loop(), **self._arguments)

    @property
    def awaits(self) -> bool:
        """Whether somebody has come who has not been answered anything yet."""
        return bool(self._strangers)

    def admit(self, connection: Connection, peer: str) -> bool:
        """Say whether a new connection may stay; where all are taken, a silent one gives way."""
        source = group(peer)
        if self.bounds.per_source and self._sources[source] >= self.bounds.per_source:
            self.count("connections_of_source")
            return False
        if self._open >= self.bounds.connections and not self._make_room():
            self.count("connections")
            return False
        connection.source = source
        self._sources[source] += 1
        self._open += 1
        self._metrics.connections.set(self._open)
        self._strangers[connection] = None
        return True

    def _make_room(self) -> bool:
        # Those who never asked anything first: a client that rests has shown what it is.
        for silent in (self._strangers, self._resting):
            for connection in silent:
                self.count("gave_way")
                connection.give_way()
                self.forget(connection)
                return True
        return False

    def wake(self, connection: Connection) -> None:
        """Note that a request of this connection is being served."""
        self._strangers.pop(connection, None)
        self._resting.pop(connection, None)

    def rest(self, connection: Connection) -> None:
        """Note that its request has been answered."""
        if connection.source is not None:
            self._resting[connection] = None

    def forget(self, connection: Connection) -> None:
        """Note that it has ended; that this is known already does not matter."""
        source, connection.source = connection.source, None
        if source is None:
            return
        self.wake(connection)
        self._open -= 1
        self._metrics.connections.set(self._open)
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    def count(self, reason: str) -> None:
        """Count somebody who was not served."""
        self._metrics.refusals.labels(reason).inc()

    def write_off(self, error: HttpError) -> bytes:
        """Return an answer to nobody's request, for the wire."""
        return raw_answer(error, request_id=choose_id(None), headers=self._headers)

    def answer(self, error: HttpError, request: web.BaseRequest) -> web.Response:
        """Return the answer to a request that no application sees; the last on its connection."""
        request_id = choose_id(request.headers.get(HEADER))
        log.info("request_refused", code=error.code, request_id=request_id)
        response = error_response(error, request_id=request_id)
        for name, value in {**self._headers, HEADER: request_id}.items():
            response.headers.setdefault(name, value)
        response.force_close()
        return response

    def _begin(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """Return the request whose head has just been read."""
        if isinstance(protocol, Connection):
            protocol.begin(payload)
        return self._inner.request_factory(message, payload, protocol, writer, task)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if sum([len(name) + len(value) for name, value in request.raw_headers]) > MAX_HEAD_BYTES:
            self.count("head_too_large")
            return self.answer(
                HttpError("HEADERS_TOO_LARGE", "The headers are too large."), request
            )
        try:
            return await self._inner.request_handler(request)
        except web.HTTPException as error:
            # aiohttp looks at Expect before any middleware.
            if error.status < 400:
                raise
            self.count("expectation")
            return self.answer(from_aiohttp(error), request)
