"""Links to a server that can be cut, and that can hang."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from yarl import URL


@asynccontextmanager
async def forwarding(port: int, url: URL) -> AsyncIterator[asyncio.Event]:
    """Forward connections on `port` to the database at `url`, while the event is set."""
    link = asyncio.Event()
    link.set()
    pumps = set[asyncio.Task[None]]()

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with closing(target):
            while data := await source.read(65536):
                await link.wait()
                target.write(data)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection(url.host, url.port)
        pumps.add(asyncio.create_task(pump(reader, questions)))
        pumps.add(asyncio.create_task(pump(answers, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield link
    finally:
        server.close()
        for each in pumps:
            each.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
