"""The real backfill and the real reconciliation, over the belt, while the world goes on."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.console import Console

import deploy.backfill.run as backfilling
import deploy.reconcile.run as reconciling
from deploy.backfill.settings import BackfillSettings
from deploy.clerk.walk import (
    walk_changed_users,
    walk_memberships,
    walk_organizations,
    walk_users,
)
from deploy.reconcile import settle, sides
from deploy.reconcile.confirm import Ceiling
from deploy.reconcile.repair import Repair
from deploy.reconcile.settings import ReconcileSettings
from deploy.reconcile.settle import Patience
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from tests.integration.deploy.truth.belt import DiedError
from tests.integration.deploy.truth.model import at_clerk, unknown

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import web

    from deploy.reconcile.drift import Report
    from tests.integration.deploy.truth.clerkwork import Clerkwork

SMALL_PAGE: Final = 3
"""A world of a dozen users is to be several pages long."""

A_SECOND_MS: Final = 1_000
"""Clerk's answers tell the time to the second: what is younger is not missed yet."""


class Sweeps:
    """An operator's looks at Clerk; each tells how it ended."""

    def __init__(self, scene: Clerkwork, settings: dict[str, Any], trouble: Trouble) -> None:
        self.scene, self._settings, self._trouble = scene, settings, trouble
        self._there: set[str] = set()

    async def backfill(
        self,
        chance: random.Random,
        *,
        dies_in: int | None = None,
        quiet: bool = False,
        restart: bool = False,
    ) -> str:
        """Backfill, or go on with it, unless it dies.

        Whatever was there when it began, and has stayed, is known here once it is finished.
        """
        settings = BackfillSettings(**self._settings)
        if restart or not await self.scene.pool.fetchval(_BROKEN_OFF):
            self._there = at_clerk(self.scene.world)
        with self._going_on(chance, dies_in=dies_in, quiet=quiet) as patches:
            patches.setattr(backfilling, "publishing", partial(_having, self.scene.belt))
            patches.setattr(backfilling, "read_ends", _nowhere)
            patches.setattr(backfilling, "wait_applied", partial(self._applied, chance))
            try:
                wishes = backfilling.Wishes(restart=restart)
                filled = await backfilling.backfill(settings, wishes, _nobody())
            except DiedError:
                return "killed"
        assert filled.sound
        assert not await unknown(self.scene.pool, self.scene.world, self._there)
        return "finished"

    async def reconcile(
        self,
        chance: random.Random,
        *,
        dies_in: int | None = None,
        quiet: bool = False,
        **wishes: Any,
    ) -> str:
        """Compare, and mend where that is wished, unless it dies."""
        with self._going_on(chance, dies_in=dies_in, quiet=quiet) as patches:
            try:
                report = await self._compare(chance, patches, **wishes)
            except DiedError:
                return "killed"
        assert (report.behind, report.refusals) == (0, ())
        return f"{report.mode}, {'mended' if report.repaired else 'reported'}"

    async def drift(self, chance: random.Random) -> list[str]:
        """Return what a look at a quiet world finds otherwise here."""
        with self._going_on(chance, dies_in=None, quiet=True) as patches:
            report = await self._compare(chance, patches)
        return [f"{each.kind} {each.resource}: {each.ids}" for each in report.drifts if each.found]

    async def _compare(
        self, chance: random.Random, patches: pytest.MonkeyPatch, **wishes: Any
    ) -> Report:
        consumer = SimpleNamespace(end_offsets=_nowhere, beginning_offsets=_nowhere)
        patches.setattr(sides, "reading", partial(_having, consumer))
        patches.setattr(reconciling, "opened_repair", self._opened_repair)
        for module in (reconciling, settle):
            patches.setattr(module, "wait_applied", partial(self._applied, chance))
        wished = reconciling.Wishes(
            ceiling=Ceiling(per_cent=100, force=True),
            patience=Patience(settle_s=0),
            overlap_s=0,
            **wishes,
        )
        return await reconciling.reconcile(ReconcileSettings(**self._settings), wished)

    @asynccontextmanager
    async def _opened_repair(self, *args: Any, **wishes: Any) -> AsyncIterator[Repair]:
        producer: Any = self.scene.belt
        yield Repair(sides=args[0], producer=producer, **wishes)

    @contextmanager
    def _going_on(
        self, chance: random.Random, *, dies_in: int | None, quiet: bool
    ) -> Iterator[pytest.MonkeyPatch]:
        """Have the world go on between any two answers, unless it is quiet; maybe die."""

        async def go_on(_request: web.Request) -> None:
            if chance.random() < 0.4:
                self.scene.happen(chance, most=3)
            if chance.random() < 0.2:
                self.scene.arrive(chance, 3)
            if chance.random() < 0.4:
                await self.scene.work(chance, 8)

        self.scene.belt.dies_in = dies_in
        if quiet:
            self.scene.world.advance(A_SECOND_MS)
        else:
            self._trouble.before_answer = go_on
        try:
            with pytest.MonkeyPatch.context() as patches:
                yield patches
        finally:
            self.scene.belt.dies_in = self._trouble.before_answer = None

    async def _applied(self, chance: random.Random, *_: object, **__: object) -> int:
        """Wait, as the commands do, until everything that is published is applied."""
        await self.scene.work_off(chance)
        return 0


_BROKEN_OFF: Final = """
    SELECT EXISTS (SELECT FROM sweeps WHERE kind = 'backfill' AND finished_at IS NULL)
"""


async def _nowhere(*_: object) -> dict[Any, int]:
    """Say where no topic ends."""
    return {}


@asynccontextmanager
async def _having(it: Any, *_: object, **__: object) -> AsyncIterator[Any]:
    """Have something that needs no opening."""
    yield it


def _nobody() -> Console:
    return Console(file=io.StringIO())


@asynccontextmanager
async def running_sweeps(scene: Clerkwork, *, database_url: str) -> AsyncIterator[Sweeps]:
    """Have a Clerk's API over the scene's world, and somebody who looks there."""
    trouble = Trouble(requests_per_10_s=10**6)
    async with running_stand_in(scene.world, trouble) as url:
        settings = {
            "clerk_api_url": url,
            "clerk_secret_key": LIVE_KEY,
            "database_url": database_url,
            "kafka_bootstrap_servers": "127.0.0.1:1",
        }
        yield Sweeps(scene, settings, trouble)


def turn_small_pages(patches: pytest.MonkeyPatch) -> None:
    """Have every walk fetch few things at once."""
    for walk in (walk_users, walk_organizations, walk_memberships, walk_changed_users):
        patches.setitem(walk.__kwdefaults__ or {}, "limit", SMALL_PAGE)
