"""Backfill and reconcile, end to end: `.venv/bin/python -m tests.bench.bench_clerk`.

A worker and Clerk's stand-in as processes of their own, Kafka and PostgreSQL on the same machine.
For each key, which decides how often Clerk may be asked, an empty database is filled: first until
everything is on Kafka, then again until it is applied. Then what is there is compared, with nothing
to find, and mended once one user in a hundred is a version behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from deploy.migrate import migrate
from deploy.stack import running_stack
from deploy.stack.ports import LOOPBACK, free_port, is_free
from deploy.standin.app import LIVE_KEY, TEST_KEY
from deploy.topics import apply_topics, connected_admin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploy.stack import Stack

START_S = 60.0
ONE_IN_HUNDRED = """
    UPDATE users SET version = version - 1, updated_at = updated_at - interval '1 ms'
    WHERE id IN (SELECT id FROM users ORDER BY id LIMIT (SELECT count(*) / 100 FROM users))
"""


async def prepare(stack: Stack) -> None:
    """Create topics and tables."""
    async with connected_admin({"bootstrap_servers": stack.bootstrap_servers}) as admin:
        await apply_topics(admin)
    await migrate(stack.database_url)


async def execute(url: str, statement: str) -> str:
    """Run a statement, and return what it did."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.execute(statement)
    finally:
        await connection.close()


@contextlib.contextmanager
def started(environment: Mapping[str, str], *module: str) -> Iterator[None]:
    """Have a process of ours while the context lasts."""
    process = subprocess.Popen(  # noqa: S603  # our own modules
        [sys.executable, "-m", *module], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def timed(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command of the console; return seconds, CPU, memory and exit code."""
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603  # our own console
        [sys.executable, "-m", "deploy", *arguments], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    return (
        f"{seconds:6.1f} s, {used.ru_utime + used.ru_stime:5.1f} s of CPU, "
        f"{used.ru_maxrss // 1024} MB, exit {process.returncode}"
    )


def measure(stack: Stack, *, users: int, latency_ms: int, key: str) -> None:
    """Fill, compare and mend one database."""
    asyncio.run(prepare(stack))
    port = free_port()
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "DATABASE_URL": stack.database_url,
        "CLERK_API_URL": f"http://{LOOPBACK}:{port}/v1",
        "CLERK_SECRET_KEY": key,
        "WORKER_METRICS_PORT": str(free_port()),
        "LOG_LEVEL": "WARNING",
    }
    stand_in = ("deploy", "stand-in", f"--users={users}", f"--port={port}", f"--key={key}")
    print(f"{users} users, {latency_ms} ms an answer, {key[:8]}…", flush=True)
    with started(environment, *stand_in, f"--latency={latency_ms}"):
        wait_listening(port)
        print("  published       ", timed(environment, "backfill", "--no-wait"), flush=True)
        with started(environment, "workers"):
            print("  again, applied  ", timed(environment, "backfill"), flush=True)
            print("  compared        ", timed(environment, "reconcile", "--settle=0"), flush=True)
            stale = asyncio.run(execute(stack.database_url, ONE_IN_HUNDRED))
            mended = timed(environment, "reconcile", "--settle=0", "--repair")
            print(f"  {stale.rpartition(' ')[2]:>6} mended   ", mended, flush=True)


def wait_listening(port: int) -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + START_S
    while is_free(port):
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.1)


def main() -> None:
    """Measure with each kind of key."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--latency-ms", type=int, default=0)
    wishes = parser.parse_args()
    for key in (LIVE_KEY, TEST_KEY):
        with tempfile.TemporaryDirectory() as data, running_stack(data=Path(data)) as stack:
            measure(stack, users=wishes.users, latency_ms=wishes.latency_ms, key=key)


if __name__ == "__main__":
    main()
