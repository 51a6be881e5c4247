"""`python -m ingest`: settings, logs, serve until SIGTERM, drain."""

from __future__ import annotations

from ingest.app import build_app
from ingest.settings import IngestSettings
from schema.http.serving.serve import serve
from schema.kafka.mend import mend_connections
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings


def main() -> None:
    """Serve webhooks and commands until told to stop; requests under way get 20 s to finish."""
    settings = read_settings(IngestSettings)
    configure_logs(settings)
    mend_connections()
    serve(build_app(settings), settings, host=settings.ingest_host, port=settings.ingest_port)


if __name__ == "__main__":
    main()
