"""Run the demonstration: plan, deliver, crash, wait, collect, look at Clerk, judge."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.announce import announce
from deploy.demo.board import Board
from deploy.demo.collect import collect
from deploy.demo.deliver import crash, deliver
from deploy.demo.judge import IN_THE_LEDGER, judge
from deploy.demo.judge_clerk import a_look_at_clerk_finds
from deploy.demo.look import look_at_clerk
from deploy.demo.observe import Observer, observing
from deploy.demo.plan import Plan, make_plan
from deploy.demo.show import open_view, print_findings
from deploy.demo.unheard import make_unheard
from deploy.demo.webhook import Fate
from deploy.errors import OperatorError
from deploy.signals import interruptible
from deploy.stack.ports import free_port
from deploy.system import System, Wishes
from deploy.up import running_system

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.demo.finding import Finding
    from deploy.demo.show import View
    from deploy.demo.unheard import Unheard

FEWEST_USERS: Final = 3
SETTLED_WITHIN_S: Final = 30.0
GLANCE_S: Final = 0.2
_NOT_OURS: Final = (
    *("KAFKA_", "CLERK_", "INGEST_", "WORKER_", "RELAY_", "API_", "LOG_"),
    *("CLERKWORK_", "DATABASE_URL"),
)


def demo(*, users: int, seed: int, keep: bool, console: Console) -> int:
    """Run it all on servers of its own, and return the exit code: 0 when every promise was held.

    Raises OperatorError when there is nothing to judge.
    """
    if users < FEWEST_USERS:
        raise OperatorError(f"The demonstration needs {FEWEST_USERS} users or more.")
    with (
        interruptible(),
        tempfile.TemporaryDirectory(prefix="clerkwork-", ignore_cleanup_errors=True) as data,
        running_system(_wishes(Path(data)), console) as system,
    ):
        now_ms = int(time.time() * 1000)
        plan = make_plan(users=users, seed=seed, now_ms=now_ms)
        unheard = make_unheard(plan, now_ms=now_ms)
        begin = time.monotonic()
        findings = asyncio.run(_prove(plan, unheard, system, console))
        print_findings(findings, console, seconds=time.monotonic() - begin, seed=seed)
        if keep:
            announce(system, console)
            with suppress(KeyboardInterrupt):
                system.watch()
    return 0 if all(finding.held for finding in findings) else 1


def _wishes(data: Path) -> Wishes:
    """Return a system of its own, which nothing that the user has exported can lead astray."""
    ingest_port, api_port, worker_port, relay_port = (free_port() for _ in range(4))
    return Wishes(
        data=data,
        ingest_port=ingest_port,
        api_port=api_port,
        worker_port=worker_port,
        relay_port=relay_port,
        canary_port=None,  # what it leaves in the ledger is nobody's plan
        desk_port=None,
        environment={
            name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)
        },
    )


async def _prove(plan: Plan, unheard: Unheard, system: System, console: Console) -> list[Finding]:
    board = Board(planned=len(plan.deliveries))
    async with observing(system) as observer:
        with open_view(board, console) as view:
            view.note(
                f"{len(plan.webhooks)} events, {len(plan.deliveries)} deliveries, shuffled: "
                f"seed {plan.seed}"
            )
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(_watch(observer, board, view))
                delivered, crashed = await asyncio.gather(
                    deliver(plan, system, board), crash(system, board, view.note)
                )
                view.note("everything sent; waiting until it has arrived")
                await _settle(plan, board)
                watching.cancel()
            evidence = await collect(plan, observer, delivered=delivered, crash=crashed)
            looked = await look_at_clerk(plan, unheard, observer, board, view.note)
    return [*judge(plan, evidence), a_look_at_clerk_finds(plan, unheard, looked)]


async def _watch(observer: Observer, board: Board, view: View) -> None:
    while True:
        observer.system.check()
        await observer.look(board)
        view.refresh()
        await asyncio.sleep(GLANCE_S)


async def _settle(plan: Plan, board: Board) -> None:
    """Wait until all has arrived that should; what has not by then is for the judge."""
    events = sum(webhook.fate in IN_THE_LEDGER for webhook in plan.webhooks)
    letters = sum(webhook.fate in (Fate.DEAD, Fate.QUARANTINED) for webhook in plan.webhooks)
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLED_WITHIN_S):
            await board.wait_until(
                lambda: (
                    not (board.waiting or board.untold)
                    and board.events >= events
                    and board.letters >= letters
                )
            )
