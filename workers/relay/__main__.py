"""`python -m workers.relay`: settings, logs, publish until SIGTERM, finish what is on its way."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from schema.kafka.mend import mend_connections
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings


async def _run(settings: RelaySettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_relay(settings):
        await stop.wait()


def main() -> None:
    """Publish until told to stop; the batch on its way gets 8 s to finish."""
    settings = read_settings(RelaySettings)
    configure_logs(settings)
    mend_connections()
    uvloop.run(_run(settings))


if __name__ == "__main__":
    main()
