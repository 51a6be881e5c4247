"""`python -m api`: serve the read API until SIGTERM or SIGINT, then drain and stop."""

from __future__ import annotations

import structlog

from api.app import build_app
from api.settings import ApiSettings
from schema.http.serving.serve import serve
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings


def main() -> None:
    """Run the process. Raises SystemExit (code 1) naming every setting that is not valid."""
    settings = read_settings(ApiSettings)
    configure_logs(settings)
    structlog.get_logger(__name__).info(
        "api_starting", host=settings.api_host, port=settings.api_port
    )
    serve(build_app(settings), settings, host=settings.api_host, port=settings.api_port)


if __name__ == "__main__":
    main()
