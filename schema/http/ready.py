"""Ready: an answer whose body is there, sent with its head in one piece.

aiohttp gathers the headers of an answer in a dictionary, lets everybody add to it, and writes name
after name. Of most answers all but a few lines are the same each time: here they are bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter
    from multidict import CIMultiDict


class Kind:
    """The headers that all answers of a kind have; one for each kind, made once."""

    __slots__ = ("headers", "names")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.names = frozenset(name.lower() for name in headers)


JSON: Final = Kind({"Content-Type": "application/json; charset=utf-8"})
"""JSON, and nothing else to say of it."""


class Ready(web.Response):
    """An answer with a body, and with a status that has one.

    Behind the stack its head is sent in one piece with the body. Where anybody has looked at its
    `headers`, for they may have changed them, where it has more than a body, and for whoever asks
    in an unusual way, it is what web.Response is.
    """

    def __init__(
        self,
        body: bytes,
        *,
        kind: Kind = JSON,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Have `headers` of its own beside those of its kind."""
        super().__init__(body=body, status=status)
        self.kind = kind
        self.own = headers or {}
        self._opened = False
        self._whole: bytes | None = None
        self._writer: AbstractStreamWriter | None = None

    @property
    def headers(self) -> CIMultiDict[str]:
        """The headers, free to be changed."""
        if not self._opened:
            self._opened = True
            self._headers.update(self.kind.headers)
            self._headers.update(self.own)
        return self._headers

    @property
    def plain(self) -> bytes | None:
        """Its body, where there is no more to it than what it was made with."""
        if self._opened or self._cookies or self._compression or self._chunked:
            return None
        body = self.body
        return body if isinstance(body, bytes) and self._keep_alive is None else None

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open after it; None where that is not decided yet."""
        return super().keep_alive if self._writer is None else True

    @property
    def prepared(self) -> bool:
        """Whether sending has begun."""
        return self._writer is not None or super().prepared

    def send_whole(self, whole: bytes) -> None:
        """Have this sent, head and body, unless `headers` is looked at after all."""
        self._whole = whole

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Begin to send it; a head of ours waits for the body."""
        if self._whole is None or self.plain is None:
            _ = self.headers
            return await super().prepare(request)
        self._writer = request.writer
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send it, once."""
        if self._writer is None or self._whole is None:
            await super().write_eof(data)
            return
        await self._writer.write_eof(self._whole)
