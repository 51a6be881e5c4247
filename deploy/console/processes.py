"""One process in the foreground, as containers and `up` start it."""

from __future__ import annotations

from deploy.console.groups import SINGLE, app


@app.command(group=SINGLE)
def ingest() -> None:
    """Take webhooks and put them on Kafka."""
    from ingest.__main__ import main

    main()


@app.command(group=SINGLE)
def worker() -> None:
    """Take events from Kafka and apply them to PostgreSQL."""
    from workers.__main__ import main

    main()


@app.command(group=SINGLE)
def relay() -> None:
    """Tell other services what has changed: from PostgreSQL's outbox to Kafka."""
    from workers.relay.__main__ import main

    main()


@app.command(group=SINGLE)
def api() -> None:
    """Serve users."""
    from api.__main__ import main

    main()
