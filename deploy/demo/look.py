"""Look at Clerk: a stand-in for its API, and the commands that make the tables true to it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from deploy.demo.collect import read_tables, read_topics
from deploy.demo.judge_clerk import Looked
from deploy.demo.upstream import find_upstream
from deploy.errors import OperatorError
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.world import World
from schema.kafka.topics import USER_CHANGES
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.demo.board import Board
    from deploy.demo.observe import Observer
    from deploy.demo.plan import Plan
    from deploy.demo.unheard import Unheard
    from deploy.demo.upstream import Upstream

    Environment = Mapping[str, str]

TOLD_WITHIN_S: Final = 10.0
GLANCE_S: Final = 0.1
_SQL: Final = read_statements(__file__)


class Instance(World):
    """A world that is as it is said to be, with the wall's clock."""

    def __init__(self) -> None:
        super().__init__(now_ms=_now_ms())
        self.follow(_now_ms)

    def become(self, upstream: Upstream) -> None:
        """Have this, and nothing else."""
        self.version += 1
        self.users, self.organizations = dict(upstream.users), dict(upstream.organizations)
        self.memberships, self.sessions = dict(upstream.memberships), dict(upstream.sessions)
        self._memberships_of, self._sessions_of = defaultdict(set), defaultdict(set)
        for key, each in self.memberships.items():
            self._memberships_of[each["public_user_data"]["user_id"]].add(key)
            self._memberships_of[each["organization"]["id"]].add(key)
        for key, each in self.sessions.items():
            self._sessions_of[each["user_id"]].add(key)


async def look_at_clerk(
    plan: Plan, unheard: Unheard, observer: Observer, board: Board, note: Callable[[str], None]
) -> Looked:
    """Backfill, lose some webhooks, reconcile; return what came of it.

    Raises OperatorError when a command fails.
    """
    instance, happened = Instance(), (*plan.webhooks, *unheard.before)
    instance.become(find_upstream(happened))
    async with running_stand_in(instance) as url:
        environment = _environment(observer, url)
        note(f"Clerk has {len(instance.users)} users, {len(unheard.before)} of them never told of")
        await _run("backfill", environment=environment)
        backfilled = await observer.database.fetchval(_SQL["count_backfilled"])
        note(f"clerkwork backfill: {backfilled} users; meanwhile {len(unheard.lost)} webhooks lost")
        instance.become(find_upstream((*happened, *unheard.lost)))
        told = await _run(
            "reconcile", "--repair", "--json", "--settle", "0", environment=environment
        )
    drift = json.loads(told)["drifts"]
    note(f"clerkwork reconcile --repair: {_tell(drift)}")
    await _settle(observer, board)
    return Looked(
        backfilled=backfilled,
        drift={each["kind"]: each["found"] for each in drift if each["resource"] == "users"},
        tables=await read_tables(observer.database),
        changes=await read_topics(observer.system.stack.bootstrap_servers, [USER_CHANGES]),
    )


def _environment(observer: Observer, url: str) -> Environment:
    """Return what the worker has, and where Clerk is: nothing of the user's leads it astray."""
    worker = observer.system.services.named["worker"]
    return dict(worker.program().environment) | {
        "CLERK_API_URL": url,
        "CLERK_SECRET_KEY": LIVE_KEY,
        "LOG_LEVEL": "ERROR",
    }


async def _run(*command: str, environment: Environment) -> str:
    """Run a command of the console, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "deploy", *command),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    if process.returncode:
        raise OperatorError(
            f"clerkwork {' '.join(command)} ended with {process.returncode}:"
            f" {(complained or said).decode(errors='replace').strip()}"
        )
    return said.decode()


def _tell(drifts: list[dict[str, Any]]) -> str:
    return ", ".join(f"{each['found']} {each['kind']}, {each['mended']} mended" for each in drifts)


async def _settle(observer: Observer, board: Board) -> None:
    """Wait until everything is told; what is not by then is for the judge."""
    with suppress(TimeoutError):
        async with asyncio.timeout(TOLD_WITHIN_S):
            await observer.look(board)
            while board.untold:
                await asyncio.sleep(GLANCE_S)
                await observer.look(board)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
