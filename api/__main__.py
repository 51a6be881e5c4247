"""`python -m api`: serve the read API until SIGTERM or SIGINT, then drain and stop."""

from __future__ import annotations

from typing import Final

import structlog
import uvloop
from aiohttp import web

from api.app import build_app
from api.settings import ApiSettings
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings

DRAIN_S: Final = 20.0
"""Requests under way get this long to end; Kubernetes kills after 30 s unless told otherwise."""


def main() -> None:
    """Run the process. Raises SystemExit (code 1) naming every setting that is not valid."""
    settings = read_settings(ApiSettings)
    configure_logs(settings)
    structlog.get_logger(__name__).info(
        "api_starting", host=settings.api_host, port=settings.api_port
    )
    web.run_app(
        build_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        shutdown_timeout=DRAIN_S,
        access_log=None,  # the canonical line of `measure` says more, and no query strings
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
