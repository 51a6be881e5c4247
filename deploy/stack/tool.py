"""Programs that do one thing and end: initdb, Kafka's formatter."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.stack.errors import StackError
from deploy.stack.process import BARE_ENVIRONMENT, Account


def run_tool(
    command: Sequence[str | Path],
    *,
    purpose: str,
    directory: Path | None = None,
    account: Account | None = None,
    stdin: str = "",
) -> str:
    """Return what the tool printed on either stream.

    Raises StackError, which names the purpose and quotes the output, when it cannot be run or
    fails.
    """
    try:
        done = subprocess.run(  # noqa: S603 - commands are ours
            [str(word) for word in command],
            input=stdin,
            cwd=directory,
            env=BARE_ENVIRONMENT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
        )
    except OSError as error:
        raise StackError(f"Cannot {purpose}: {error}.") from error
    if done.returncode:
        raise StackError(f"Cannot {purpose}:\n{done.stdout[-2000:]}")
    return done.stdout
