"""Several processes behind one port."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from aiohttp.test_utils import unused_port

from tests.factories import SECRET
from tests.integration.http.conftest import NOBODY
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTED = "process_start_time_seconds "


@contextmanager
def running_ingest(port: int, *, reuse: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of ingest's until the context ends."""
    environment = {
        "PATH": os.environ["PATH"],
        "KAFKA_BOOTSTRAP_SERVERS": NOBODY,
        "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
        "INGEST_PORT": str(port),
        "HTTP_REUSE_PORT": str(reuse),
    }
    with subprocess.Popen(  # our own module
        [sys.executable, "-m", "ingest"], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


async def ask_anyone(port: int) -> str:
    """Return what tells the process that answers a new connection from others."""
    async with httpx.AsyncClient() as http:
        try:
            text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        except httpx.ConnectError:
            return ""
    return next(line for line in text.splitlines() if line.startswith(STARTED))


async def test_processes_share_a_port() -> None:
    """Each connection is one's, and when one ends the other has all of them."""
    port = unused_port()
    met: set[str] = set()

    async def meet() -> int:
        met.add(await ask_anyone(port))
        return len(met - {""})

    with running_ingest(port, reuse=True):
        with running_ingest(port, reuse=True):
            await until(meet, lambda number: number == 2)
        assert {await ask_anyone(port) for _ in range(10)} < met


async def test_a_port_is_shared_only_where_that_is_asked_for() -> None:
    """Else a process that was started twice by mistake would take half of the requests."""
    port = unused_port()
    with running_ingest(port, reuse=False):
        await until(lambda: ask_anyone(port), bool)
        with running_ingest(port, reuse=False) as second:
            assert second.wait(timeout=20) != 0
