"""Look at Clerk: a stand-in for its API, and what makes the tables true to it."""

from __future__ import annotations

import asyncio
import io
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import HttpUrl, SecretStr
from rich.console import Console

from deploy.backfill import run as backfilling
from deploy.backfill.settings import BackfillSettings
from deploy.demo.collect import read_tables, read_topics
from deploy.demo.judge_clerk import Looked
from deploy.demo.upstream import find_upstream
from deploy.reconcile import run as reconciling
from deploy.reconcile.settings import ReconcileSettings
from deploy.reconcile.settle import Patience
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.world import World
from schema.kafka.topics import USER_CHANGES
from schema.ops.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.backfill.run import Filled
    from deploy.demo.board import Board
    from deploy.demo.observe import Observer
    from deploy.demo.plan import Plan
    from deploy.demo.unheard import Unheard
    from deploy.demo.upstream import Upstream
    from deploy.reconcile.drift import Report

TOLD_WITHIN_S: Final = 10.0
GLANCE_S: Final = 0.1


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

    Raises OperatorError when one of them cannot be done.
    """
    instance, happened = Instance(), (*plan.webhooks, *unheard.before)
    instance.become(find_upstream(happened))
    async with running_stand_in(instance) as url:
        desk = _Desk(observer=observer, url=url)
        note(f"Clerk has {len(instance.users)} users, {len(unheard.before)} of them never told of")
        filled = await desk.backfill()
        backfilled = filled.swept[0].sweep.published
        note(f"backfill: {backfilled} users published; now {len(unheard.lost)} webhooks get lost")
        instance.become(find_upstream((*happened, *unheard.lost)))
        report = await desk.reconcile()
    note(f"reconcile --repair: {_tell(report)}")
    await _settle(observer, board)
    return Looked(
        backfilled=backfilled,
        drift={each.kind: each.found for each in report.drifts if each.resource == "users"},
        tables=await read_tables(observer.database),
        changes=await read_topics(observer.system.stack.bootstrap_servers, [USER_CHANGES]),
    )


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """An operator's; nothing that the user has exported leads it astray."""

    observer: Observer
    url: str

    async def backfill(self) -> Filled:
        """Do what `clerkwork backfill` does, in silence."""
        settings = BackfillSettings.model_construct(**self._given())
        configure_logs(settings)
        silence = Console(file=io.StringIO())
        return await backfilling.backfill(settings, backfilling.Wishes(), silence)

    async def reconcile(self) -> Report:
        """Do what `clerkwork reconcile --repair` does, for a Clerk that sends nothing any more."""
        wishes = reconciling.Wishes(repair=True, patience=Patience(settle_s=0))
        settings = ReconcileSettings.model_construct(**self._given())
        return await reconciling.reconcile(settings, wishes)

    def _given(self) -> dict[str, Any]:
        stack = self.observer.system.stack
        return {
            "clerk_api_url": HttpUrl(self.url),
            "clerk_secret_key": SecretStr(LIVE_KEY),
            "database_url": SecretStr(stack.database_url),
            "kafka_bootstrap_servers": stack.bootstrap_servers,
            "log_level": "ERROR",
        }


def _tell(report: Report) -> str:
    found = [f"{each.found} {each.resource} {each.kind}" for each in report.drifts]
    return f"{', '.join(found) or 'nothing'} found, {report.left or 'nothing'} left"


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
