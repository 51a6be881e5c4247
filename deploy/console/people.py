"""People: what is done for one of them, when they ask for it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from deploy.console.groups import UPKEEP, app
from deploy.terminal import open_console

Flag = Annotated[bool, Parameter(negative=())]


@app.command(group=UPKEEP)
def erase(
    user: str,
    *,
    now: Flag = False,
    yes: Flag = False,
    also: Annotated[tuple[str, ...], Parameter(negative=())] = (),
) -> int:
    """Say where a deleted user still is, in DATABASE_URL and in KAFKA_BOOTSTRAP_SERVERS.

    Reads every topic. The exit code is 1 while anything is left but what compaction takes.

    Parameters
    ----------
    user
        The clerk user id.
    now
        Remove it all, and look again: data that is held back, dead letters, and from each
        partition that names them all up to the last such record, which workers have applied.
    yes
        Do not ask.
    also
        What else to look for, such as an old e-mail address; may be given several times.
    """
    from deploy.erase.run import Wishes, run_erase

    wishes = Wishes(now=now, yes=yes, also=also)
    return run_erase(user, wishes, console=open_console())
