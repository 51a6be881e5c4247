"""Rights: what the users that processes come as may do in Kafka."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from deploy.console.upkeep import topics
from deploy.terminal import open_console


@topics.command(name="acls")
def acls(
    *users: str,
    apply: Annotated[bool, Parameter(negative=())] = False,
    offline: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Compare the ACLs of KAFKA_BOOTSTRAP_SERVERS with the declaration.

    What differs is told as commands of Kafka's own kafka-acls.sh; exit code 1 when something does.

    Parameters
    ----------
    users
        Which process comes as which user of Kafka's: `worker=clerkwork-worker`, with mutual TLS
        `worker=CN=worker`. Unless any is named, each process as clerkwork-PROCESS.
    apply
        Create what is missing, and take what these users may do besides.
    offline
        Ask no Kafka: tell the commands for all that is declared.
    """
    from deploy.rights.run import run_acls

    return run_acls(users, open_console(), apply=apply, offline=offline)
