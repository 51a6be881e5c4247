"""A process that is told to stop: nobody who comes, waits or asks is turned away."""

from __future__ import annotations

import asyncio
import select
import signal
import socket
import threading

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port

from schema.http.serving.relieve import turn_away
from schema.ops.metrics import new_registry
from schema.ops.probes import READINESS, add_probes
from tests.integration.http.test_processes import listeners, running_ingest
from tests.waiting import until

ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_leaving_process_is_not_ready() -> None:
    """Whatever else is well; that it lives is true all the same."""
    app = web.Application()
    add_probes(app, registry=new_registry(), live={}, ready={})
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/readyz")).status == 200
        app[READINESS].leaving.set()
        ready = await client.get("/readyz")
        assert (ready.status, (await ready.json())["checks"]) == (
            503,
            {"process": "is about to stop"},
        )
        assert (await client.get("/livez")).status == 200


async def test_it_goes_on_while_it_drains() -> None:
    """Who comes is served, who stays is told to go elsewhere; a second signal ends it."""
    port = unused_port()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as kept:
        with running_ingest(port, reuse=False, drain_s=60) as process:
            await until(lambda: _says(port, "/livez"), bool)
            async with kept.get("/livez") as answer:
                assert "Connection" not in answer.headers
            process.terminate()
            await until(lambda: _says(port, "/readyz"), lambda said: "process" in said)
            async with kept.get("/livez") as answer:
                assert (answer.status, answer.headers["Connection"]) == (200, "close")
            assert process.poll() is None

            process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(process.wait, 15) == 0


async def test_who_has_come_is_heard() -> None:
    """A connection that was there when the listener was closed gets its answer."""
    port = unused_port()
    with running_ingest(port, reuse=False) as process:
        await until(lambda: _says(port, "/livez"), bool)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        process.terminate()
        await until(lambda: _is_refused(port), bool)
        writer.write(ASK)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()

        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in head
        assert await asyncio.to_thread(process.wait, 15) == 0


async def test_a_shared_port_refuses_nobody() -> None:
    """Of all who come while one of two processes goes away, none notices."""
    port, failures = unused_port(), list[str]()
    asked = 0

    async def ask() -> None:
        nonlocal asked
        while process.poll() is None:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(ASK)
                await reader.readuntil(b"\r\n\r\n")
                writer.close()
            except (OSError, EOFError) as error:
                failures.append(repr(error))
            asked += 1

    with running_ingest(port, reuse=True) as process:
        await until(lambda: _says(port, "/livez"), bool)
        with running_ingest(port, reuse=True):
            await until(lambda: listeners(port), (2).__eq__)
            process.terminate()
            await asyncio.gather(*(ask() for _ in range(4)))
            assert process.returncode == 0

    assert asked > 4
    assert failures == []


def test_nobody_is_in_the_queue_of_a_listener_that_closes() -> None:
    """Who is in it stays; who comes later has to wait for the other one."""
    leaver = _listen(0)
    port = leaver.getsockname()[1]
    early = socket.create_connection(("127.0.0.1", port))
    stayer = _listen(port)
    turn_away([leaver])
    late: list[socket.socket] = []
    callers = [threading.Thread(target=lambda: late.append(_call(port))) for _ in range(20)]
    for caller in callers:
        caller.start()
    early.sendall(b"first")
    taken, _ = leaver.accept()
    assert taken.recv(5) == b"first"
    assert select.select([leaver], [], [], 0.3)[0] == []  # nobody is there to be reset
    leaver.close()
    for caller in callers:
        caller.join()

    assert len(late) == len(callers)
    for each in (early, taken, stayer, *late):
        each.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(100)
    return listener


def _call(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


async def _says(port: int, path: str) -> str:
    """Return what a new connection is told; nothing where nobody listens yet."""
    async with aiohttp.ClientSession() as http:
        try:
            async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
                return await answer.text()
        except aiohttp.ClientConnectionError:
            return ""


async def _is_refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False
