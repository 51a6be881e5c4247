"""Recovery: what is done after a server has lost something."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from deploy.console.groups import UPKEEP, app
from deploy.terminal import open_console


@app.command(group=UPKEEP)
def rewind(*, dry_run: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Have workers go on where the tables in DATABASE_URL are, in KAFKA_BOOTSTRAP_SERVERS.

    For a database that was restored from a backup, and for topics that were made anew: the groups'
    offsets go back to what is applied, positions of changes go on above those that are published,
    cursors of /v1/changes from before expire. Stop all workers first. What is read twice changes
    nothing; what Kafka has no more is named.

    Parameters
    ----------
    dry_run
        Only say how far.
    """
    from deploy.rewind.run import run_rewind

    return run_rewind(open_console(), dry_run=dry_run)
