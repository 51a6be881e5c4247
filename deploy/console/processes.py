"""One process in the foreground, as containers and `up` start it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from deploy.console.groups import SINGLE, app
from deploy.terminal import open_console


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


@app.command(group=SINGLE)
def desk() -> None:
    """Serve the desk: pipeline, events and dead letters in an operator's browser."""
    from deploy.desk.__main__ import main

    main()


@app.command(group=SINGLE)
def canary(*, once: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Send an event of nobody's the whole way, again and again, and measure how long it takes.

    Parameters
    ----------
    once
        Once, and say how long it took; exit code 1 when it did not arrive.
    """
    from deploy.canary.run import run_canary

    return run_canary(open_console(), once=once)
