"""The real backfill and the real reconciliation, over the belt, while the world goes on."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.console import Console

import deploy.backfill.run
from deploy.backfill.resources import RESOURCES
from deploy.backfill.run import Wishes, backfill
from deploy.backfill.settings import BackfillSettings
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from tests.integration.deploy.truth.belt import DiedError

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import web

    from tests.integration.deploy.truth.belt import Belt
    from tests.integration.deploy.truth.clerkwork import Clerkwork

SMALL_PAGE: Final = 3
"""A world of a dozen users is to be several pages long."""


class Sweeps:
    """An operator's looks at Clerk; each returns how it ended."""

    def __init__(self, scene: Clerkwork, settings: dict[str, Any], trouble: Trouble) -> None:
        self.scene, self._settings, self._trouble = scene, settings, trouble

    async def backfill(
        self, chance: random.Random, *, dies_in: int | None = None, quiet: bool = False
    ) -> str:
        """Backfill, or go on with it, unless it dies."""
        settings = BackfillSettings(**self._settings)
        with self._going_on(chance, dies_in=dies_in, quiet=quiet) as patches:
            patches.setattr(deploy.backfill.run, "publishing", self._publishing)
            patches.setattr(deploy.backfill.run, "RESOURCES", _RESOURCES)
            patches.setattr(deploy.backfill.run, "read_ends", _nothing)
            patches.setattr(deploy.backfill.run, "wait_applied", partial(self._applied, chance))
            try:
                filled = await backfill(settings, Wishes(), Console(file=io.StringIO()))
            except DiedError:
                return "killed"
        assert filled.sound
        return "finished"

    async def reconcile(self, chance, *, dies_in=None, quiet=False, incremental=False, repair=False) -> str:
        return await self.backfill(chance, dies_in=dies_in, quiet=quiet)

    async def drift(self): return {}

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
            self.scene.world.advance(_A_SECOND_MS)
        else:
            self._trouble.before_answer = go_on
        try:
            with pytest.MonkeyPatch.context() as patches:
                yield patches
        finally:
            self.scene.belt.dies_in = self._trouble.before_answer = None

    @asynccontextmanager
    async def _publishing(self, _settings: object) -> AsyncIterator[Belt]:
        yield self.scene.belt

    async def _applied(self, chance: random.Random, *_: object, **__: object) -> int:
        """Wait as an operator's command does: until everything that is published is applied."""
        await self.scene.work_off(chance)
        return 0


async def _nothing(*_: object) -> None:
    """Look nowhere."""


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


_A_SECOND_MS: Final = 2_000
"""Clerk's answers tell the time to the second: what is younger is not looked for."""

_RESOURCES: Final = tuple(
    replace(each, walk=partial(each.walk, limit=SMALL_PAGE)) for each in RESOURCES
)
