"""Run a visit: the steps in order, each proved; done again, it only looks again."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from deploy.connect.arrive import await_test_event
from deploy.connect.ask import Terminal
from deploy.connect.door import find_door
from deploy.connect.fill import fill
from deploy.connect.keys import check_keys
from deploy.connect.register import tell_registration
from deploy.connect.secret import prove_secret
from deploy.connect.settings import ConnectSettings
from deploy.connect.visit import Visit, Wishes
from deploy.connect.watch import watching
from deploy.database import refusing_in_words
from deploy.signals import INTERRUPTED, interruptible
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from rich.console import Console


def run_connect(wishes: Wishes, console: Console) -> int:
    """Walk through all steps in the environment; return 0 when nothing is wrong in the end.

    Raises OperatorError where a step is not done, and SystemExit when the environment is not valid.
    """
    visit = Visit(person=Terminal(console), console=console, wishes=wishes)
    try:
        with refusing_in_words(), capture_logs():
            url = asyncio.run(_walk_interruptibly(visit))
        with interruptible():
            # Only now: it knows of migrations, and so takes long to import.
            from deploy.doctor.run import run_doctor  # noqa: PLC0415 - see above

            code = fill(visit)
            if code == INTERRUPTED:
                return code
            visit.begin(7, "The whole, as the doctor sees it")
            code = run_doctor(console, as_json=False) or code
    except KeyboardInterrupt:
        console.print("\nInterrupted. Run it again: what is done is only looked at again.")
        return INTERRUPTED
    visit.tell(f"To look again: clerkwork connect --url {shlex.quote(url)}", indent="\n")
    return code


async def _walk_interruptibly(visit: Visit) -> str:
    # In here: asyncio's own way with Ctrl-C does not end a question that waits for its answer.
    with interruptible():
        return await walk(visit)


async def walk(visit: Visit) -> str:
    """Walk through the steps until webhooks arrive, and return the URL they come to.

    Raises StepError, and what the driver raises.
    """
    settings = read_settings(ConnectSettings)
    async with watching(settings) as watcher:
        visit.begin(1, "Clerk's keys")
        instance = await check_keys(visit)
        visit.begin(2, "A public address")
        url = await find_door(visit)
        visit.begin(3, "The endpoint")
        tell_registration(visit, url)
        visit.begin(4, "The signing secret")
        await prove_secret(visit, watcher, url=url, instance_id=instance.id)
        visit.begin(5, "Clerk's test event")
        await await_test_event(visit, watcher)
    return url
