"""TEMPORARY: naive looks at Clerk."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from schema.clerk.client import Clerk, NotAtClerkError
from schema.kafka.snapshots import write_absence, write_snapshot
from tests.integration.deploy.truth.belt import DiedError
from deploy.clerk.walk import walk_users, walk_organizations, walk_memberships
import deploy.clerk.walk

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from tests.integration.deploy.truth.clerkwork import Clerkwork

deploy.clerk.walk.OVERLAP = 1

class Sweeps:
    def __init__(self, scene, trouble, url, clerk):
        self.scene, self.trouble, self.url, self.clerk = scene, trouble, url, clerk

    async def backfill(self, chance, *, dies_in=None, quiet=False) -> str:
        self.disturb(chance, quiet)
        self.scene.belt.dies_in = dies_in
        try:
            for kind, walk in (("user", walk_users), ("organization", walk_organizations), ("organizationMembership", walk_memberships)):
                async for page in walk(self.clerk, limit=3):
                    for t in page.things:
                        await self.scene.belt.send(write_snapshot(kind, t, looker="backfill", seen_ms=1))
        except DiedError:
            return "killed"
        finally:
            self.scene.belt.dies_in = None
            self.trouble.before_answer = None
        return "finished"

    def disturb(self, chance, quiet):
        if quiet:
            return
        async def hook(_r):
            if chance.random() < .5: self.scene.happen(chance, most=3)
            if chance.random() < .3: await self.scene.work(chance, 5)
        self.trouble.before_answer = hook

    async def reconcile(self, chance, *, dies_in=None, quiet=False, incremental=False, repair=False) -> str:
        done = await self.backfill(chance, dies_in=dies_in, quiet=quiet)
        await self.scene.work_off(chance)
        self.disturb(chance, quiet)
        for table, kind, path in (("users","user","/users/"),("organizations","organization","/organizations/")):
            for r in await self.scene.pool.fetch(f"SELECT clerk_id FROM {table} WHERE status <> 'deleted'"):
                try: await self.clerk.get(path + r["clerk_id"])
                except NotAtClerkError as e:
                    await self.scene.belt.send(write_absence(kind, json.dumps({"id": r["clerk_id"]}).encode(), looker="reconcile", clock_ms=e.clock_ms))
        self.trouble.before_answer = None
        return done

    async def drift(self): return {}

@asynccontextmanager
async def running_sweeps(scene: Clerkwork, *, database_url: str) -> AsyncIterator[Sweeps]:
    trouble = Trouble(requests_per_10_s=10**6)
    async with running_stand_in(scene.world, trouble) as url, aiohttp.ClientSession() as session:
        yield Sweeps(scene, trouble, url, Clerk(session, url=url, secret_key=LIVE_KEY, requests_per_10_s=10**6))
