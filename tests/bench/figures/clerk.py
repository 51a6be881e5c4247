"""Backfill and reconcile, end to end, beside Clerk's stand-in."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.stack.ports import LOOPBACK, free_port
from deploy.standin.app import LIVE_KEY, TEST_KEY
from tests.bench.bench import RivalError, execute
from tests.bench.figure import OURS, Experiment, Figure
from tests.leftovers import skip_leftovers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench

DEVELOPMENT: Final = "development"
KEYS: Final[Mapping[str, str]] = {OURS: LIVE_KEY, DEVELOPMENT: TEST_KEY}
ONE_IN_HUNDRED: Final = """
    UPDATE users SET version = version - 1, updated_at = updated_at - interval '1 ms'
    WHERE id IN (SELECT id FROM users ORDER BY id LIMIT (SELECT count(*) / 100 FROM users))
"""


class Ended(NamedTuple):
    """What a command took."""

    seconds: float
    memory_mb: float


def run_console(
    bench: Bench, environment: Mapping[str, str], *arguments: str, codes: tuple[int, ...] = (0,)
) -> Ended:
    """Run a command of the console to its end; raise RivalError when it ends with another code."""
    began = time.perf_counter()
    log = bench.keep("console.log", b"")
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # our own console
            [sys.executable, "-m", "deploy", *arguments],
            env=environment, stdout=output, stderr=output,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise RivalError(f"{arguments[0]} ended with {process.returncode}:\n{log.read_text()}")
    return Ended(time.perf_counter() - began, used.ru_maxrss * 1024 / 1e6)


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure with each kind of key."""
    return {who: await measure_one(bench, key) for who, key in KEYS.items()}


async def measure_one(bench: Bench, key: str) -> Mapping[str, float]:
    """Fill an empty database, compare it, and mend what is a version behind."""
    users = bench.choose(20_000, 500)
    port = free_port()
    await skip_leftovers(bench.stack.bootstrap_servers)  # of other experiments
    async with (
        bench.database() as url,
        bench.serving(
            *("deploy", "stand-in", f"--users={users}", f"--key={key}", f"--port={port}"),
            port=port,
            cores=bench.cores.rest,
        ),
    ):
        environment = bench.environment(
            DATABASE_URL=url,
            CLERK_API_URL=f"http://{LOOPBACK}:{port}/v1",
            CLERK_SECRET_KEY=key,
            LOG_LEVEL="WARNING",
        )

        async def run(*arguments: str, codes: tuple[int, ...] = (0,)) -> Ended:
            return await asyncio.to_thread(run_console, bench, environment, *arguments, codes=codes)

        async with bench.serving("workers", DATABASE_URL=url):
            filled = await run("backfill")
            compared = await run("reconcile", "--settle=0")
            await execute(url, ONE_IN_HUNDRED)
            mended = await run("reconcile", "--settle=0", "--repair", codes=(0, 1))
    return {
        "backfill": users / filled.seconds,
        "reconcile": users / compared.seconds,
        "repair": mended.seconds,
        "memory": max(each.memory_mb for each in (filled, compared, mended)),
    }


EXPERIMENT: Final = Experiment(
    name="clerk",
    says="20,000 users of Clerk's stand-in, which answers at once and refuses more requests than"
    " Clerk allows: loaded, compared, and mended where one in a hundred is a version behind.",
    contestants={
        OURS: "1,000 requests in 10 s, as in production",
        DEVELOPMENT: "100 requests in 10 s, as with a development key",
    },
    figures=(
        Figure(name="backfill", says="users a second until all are applied", unit="/s"),
        Figure(name="reconcile", says="users a second compared, with nothing to find", unit="/s"),
        Figure(name="repair", says="until they are compared and mended", unit="s", better="less"),
        Figure(name="memory", says="memory of the command, at most", unit="MB", better="less"),
    ),
    measure=measure,
    long=True,
)
