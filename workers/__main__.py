"""`python -m workers`: settings, logs, consume until SIGTERM, drain."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import uvloop

from schema.kafka.mend import mend_connections
from schema.ops.collector import rest_collector
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings
from workers.app import running_worker
from workers.encode import mend_arrays
from workers.settings import WorkerSettings


async def _run(settings: WorkerSettings) -> None:
    started, stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def consume() -> None:
        async with running_worker(settings):
            started.set()
            await stop.wait()

    worker, stopped = asyncio.create_task(consume()), asyncio.create_task(stop.wait())
    await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not started.is_set():
        worker.cancel()  # it is still waiting for Kafka, and has nothing to finish
    with contextlib.suppress(asyncio.CancelledError):
        await worker


def main() -> None:
    """Consume until told to stop; the batch in flight gets 25 s to finish."""
    settings = read_settings(WorkerSettings)
    configure_logs(settings)
    mend_connections()
    mend_arrays()
    rest_collector()
    uvloop.run(_run(settings))


if __name__ == "__main__":
    main()
