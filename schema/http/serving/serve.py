"""Serve an application: the process's whole life between its settings and its end."""

from __future__ import annotations

import asyncio
import resource
import signal
from typing import TYPE_CHECKING, Any, Final

import structlog
import uvloop
from aiohttp import web

from schema.http.security import security_headers
from schema.http.serving.door import Bounds, Door
from schema.http.serving.relieve import Orders, become_ready, take_leave
from schema.http.stack import METRICS
from schema.ops.collector import rest_collector
from schema.ops.probes import READINESS

if TYPE_CHECKING:
    from schema.http.settings import HttpSettings

log = structlog.get_logger(__name__)

DRAIN_S: Final = 20.0
"""Requests under way get this long to end; Kubernetes kills after 30 s unless told otherwise."""
BACKLOG: Final = 1024
"""Connections that the kernel keeps while the process is busy."""
SPARE_FILES: Final = 256
"""Files beside the clients' connections: databases, brokers, logs."""

_PARSER: Final = {
    "access_log": None,  # the canonical line of `measure` says more, and no query strings
    "lingering_time": 2.0,  # a client that still sends when it is answered may end its sentence
    "max_line_size": 8 * 1024,
    "max_field_size": 8 * 1024,
    "max_headers": 64,
}


class Runner(web.AppRunner):
    """Runs an application behind a Door."""

    __slots__ = ("_settings", "door")

    door: Door
    """There once it is set up."""

    def __init__(self, app: web.Application, settings: HttpSettings) -> None:
        super().__init__(app, shutdown_timeout=DRAIN_S, access_log=None)
        self._settings = settings

    async def _make_server(self) -> web.Server:
        inner = await super()._make_server()
        settings = self._settings
        self.door = Door(
            inner,
            bounds=Bounds(
                head_timeout_s=settings.http_head_timeout_s,
                body_timeout_s=settings.http_body_timeout_s,
                connections=settings.http_connections,
                per_source=settings.http_connections_per_source,
            ),
            headers=security_headers(hsts_s=settings.http_hsts_seconds).data,
            metrics=self.app[METRICS],
            arguments=_PARSER | {"keepalive_timeout": settings.http_keepalive_s},
        )
        if READINESS in self.app:
            self.door.leaving = self.app[READINESS].leaving
        return self.door


async def run(app: web.Application, settings: HttpSettings, **address: Any) -> None:
    """Serve `app` until SIGTERM or SIGINT, then take leave and let what is under way end."""
    orders = Orders()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, orders.hear)
    runner = Runner(app, settings)
    await runner.setup()
    try:
        rest_collector()
        # SO_REUSEPORT: every process has a queue of its own, to which connections go by their hash.
        shared = settings.http_reuse_port
        if shared:
            await become_ready(app, orders, **address)
        site = web.TCPSite(runner, backlog=BACKLOG, reuse_port=shared or None, **address)
        await site.start()
        log.info("serving")
        await orders.leave.wait()
        runner.door.leaving.set()
        log.info("leaving", drain_s=settings.http_drain_s)
        await orders.pause(settings.http_drain_s)
        await take_leave(site, runner.door, orders, shared=shared)
    finally:
        await runner.cleanup()


def serve(app: web.Application, settings: HttpSettings, *, host: str, port: int) -> None:
    """Serve `app` until the process is told to stop."""
    _allow_files(settings.http_connections + SPARE_FILES)
    uvloop.run(run(app, settings, host=host, port=port))


def _allow_files(wanted: int) -> None:
    """Let the process open as many files as its connections need, where the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("too_few_files", allowed=allowed, wanted=wanted)
