"""`python -m deploy.desk`: serve the desk until SIGTERM or SIGINT, then drain and stop."""

from __future__ import annotations

import structlog

from deploy.desk.app import build_desk
from deploy.desk.settings import BrowserDeskSettings
from schema.http.serving.serve import serve
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings


def main() -> None:
    """Run the process. Raises SystemExit (code 1) naming every setting that is not valid."""
    settings = read_settings(BrowserDeskSettings)
    configure_logs(settings)
    structlog.get_logger(__name__).info(
        "desk_starting", host=settings.desk_host, port=settings.desk_port
    )
    serve(build_desk(settings), settings, host=settings.desk_host, port=settings.desk_port)


if __name__ == "__main__":
    main()
