"""wrk, which asks a server for as much as it can do: a tenth of the work that answering takes.

https://github.com/wg/wrk; Debian has it as `wrk`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tests.bench.bench import measuring
from tests.debian import provide_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.bench import Bench, Server

SCRIPT: Final = Path(__file__).with_name("wrk.lua")
CONNECTIONS: Final = 64
ALLOWANCE_S: Final = 60


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk says."""

    requests: int
    microseconds: int
    refused: int
    """Answers with a status of 400 or more."""

    broken: int
    """Connections that failed, and requests that were answered too late."""

    p50_us: int
    p99_us: int


class LoadError(Exception):
    """The load was not what it should have been: some requests were refused."""


async def ask(
    server: Server, requests: Path, *, seconds: float, connections: int = CONNECTIONS
) -> Answered:
    """Send what `write_requests` wrote for so long, always one request for each connection.

    Raises LoadError when anything but success is answered.
    """
    wrk = await asyncio.to_thread(provide_program, "wrk", package="wrk")
    process = await asyncio.create_subprocess_exec(
        wrk,
        *("-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"),
        *("-s", SCRIPT, server.url, "--", requests),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    async with asyncio.timeout(seconds + ALLOWANCE_S):
        said, _ = await process.communicate()
    if process.returncode:
        raise LoadError(f"wrk ended with exit code {process.returncode}")
    answered = msgspec.json.decode(said.strip().rpartition(b"\n")[2], type=Answered)
    if answered.refused or answered.broken or not answered.requests:
        raise LoadError(repr(answered))
    return answered


async def measure_rate(
    bench: Bench, server: Server, requests: Path, *, warm_s: float = 1
) -> Mapping[str, float]:
    """Return what a server makes of as many requests as it can take, after a warm-up.

    `rate` a second, `cpu` in microseconds for each, and `core`: how much of its core it had, in
    per cent. With much less than 100 it was not the server that was measured.
    """
    if not bench.quick:
        await ask(server, requests, seconds=warm_s)
    with measuring(server) as cost:
        answered = await ask(server, requests, seconds=bench.choose(4, 1))
    seconds = answered.microseconds / 1e6
    return {
        "rate": answered.requests / seconds,
        "cpu": cost.cpu_s / answered.requests * 1e6,
        "core": cost.cpu_s / seconds * 100,
    }


def write_requests(requests: Sequence[bytes], path: Path) -> Path:
    """Write requests, as they are on the wire, for wrk's script; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(b"%d\n%b" % (len(each), each) for each in requests))
    return path


def make_request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a request as it is on the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
