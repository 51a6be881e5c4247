"""A clerkwork with a Kafka of its own, which is lost in the end, and a Clerk that knows better."""

from __future__ import annotations

import asyncio
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
import httpx
import pytest

from deploy.environment import ROOT
from deploy.stack import Kafka
from deploy.stack.installation import provide_installation
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from deploy.tokens import mint_token, new_private_key, public_key
from deploy.topics import apply_topics, connected_admin
from tests.conftest import Servers, copied_database
from tests.factories import sign
from tests.integration.deploy.runbook.stage import Stage, opened_stage
from tests.memory import scratch_directory
from tests.procedures import read_procedures
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from deploy.standin.told import Told

PROCEDURES: Final = read_procedures(ROOT / "deploy/docs/how-to/recover.md")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything, and who follows the page."""

    stage: Stage
    world: World
    kafka: Kafka
    key: str
    """With which tokens are signed."""

    async def hear(self, *told: Told) -> None:
        """Let webhooks arrive, under the ids that Clerk gives them."""
        async with self.ingest() as ingest:
            answers = await asyncio.gather(
                *(
                    ingest.post(
                        "/webhooks/clerk",
                        content=each.body,
                        headers=sign(each.body, event_id=each.event_id),
                    )
                    for each in told
                )
            )
        assert {answer.status_code for answer in answers} == {202}

    def ingest(self) -> httpx.AsyncClient:
        """Return a client of ingest, to be entered."""
        return httpx.AsyncClient(base_url=self.stage.services["ingest"].url, timeout=10)

    async def write_post(self, user: str, title: str) -> None:
        """Have a user write a post."""
        async with self.ingest() as ingest:
            answer = await ingest.post(
                "/v1/posts",
                json={"title": title, "body": "…", "status": "published"},
                headers=self.authorize(user),
            )
        assert answer.status_code == 202

    async def changes(self, user: str, since: str) -> httpx.Response:
        """Return what the API answers to who asks for changes."""
        url = f"{self.stage.services['api'].url}/v1/changes"
        async with httpx.AsyncClient(timeout=10) as client:
            return await client.get(url, params={"since": since}, headers=self.authorize(user))

    def authorize(self, user: str) -> dict[str, str]:
        """Return the header of who is signed in."""
        token = mint_token(self.key, user_id=user, minutes=10)
        return {"Authorization": f"Bearer {token}"}

    async def follow(self, procedure: str, number: int) -> str:
        """Do what a script of a procedure says, and return what that says."""
        return await self.stage.run(PROCEDURES[procedure][number])

    async def names(self) -> dict[str, str | None]:
        """Return the first names of the living, by Clerk's ids."""
        rows = await self.stage.database.fetch(
            "SELECT clerk_id, first_name FROM users WHERE status = 'active'"
        )
        return {row["clerk_id"]: row["first_name"] for row in rows}

    @property
    def truth(self) -> dict[str, str | None]:
        """What Clerk has of them."""
        return {user: each["first_name"] for user, each in self.world.users.items()}

    async def until_true(self) -> None:
        """Return when the tables are as Clerk is."""
        await until(self.names, self.truth.__eq__)

    def lose_kafka(self) -> None:
        """Have another cluster at the same address, with nothing in it. Blocks."""
        self.kafka.kill()
        shutil.rmtree(self.kafka.data)
        self.kafka.start()

    async def lose_database(self) -> None:
        """Drop it, and make an empty one of the same name."""
        url = self.stage.shell["DATABASE_URL"]
        server, _, name = url.rpartition("/")
        await self.stage.disconnect()
        connection = await asyncpg.connect(f"{server}/postgres")
        try:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        await self.stage.reconnect()


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    """A broker of these tests' own."""
    with (
        scratch_directory() as place,
        Kafka(data=place / "kafka", log=place / "kafka.log") as kafka,
    ):
        yield kafka


@pytest.fixture(scope="module")
async def scene(
    kafka: Kafka,
    servers: Servers,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Scene]:
    """Every process, a database of its own, and a world of thirty users."""
    folder = tmp_path_factory.mktemp("recover")
    async with connected_admin({"bootstrap_servers": kafka.bootstrap_servers}) as admin:
        assert await apply_topics(admin) == []
    world = World(seed=11)
    key = new_private_key()
    extra = {"CLERK_JWT_KEY": public_key(key)}
    async with (
        copied_database(servers, template_database) as url,
        running_stand_in(world, Trouble()) as clerk,
        opened_stage(
            bootstrap_servers=kafka.bootstrap_servers,
            database_url=url,
            folder=folder,
            extra=extra | {"CLERK_API_URL": clerk, "CLERK_SECRET_KEY": LIVE_KEY},
        ) as stage,
    ):
        for program in ("pg_dump", "pg_restore"):
            shim = folder / "bin" / program
            shim.write_text(f'#!/bin/sh\nexec {provide_installation().program(program)} "$@"\n')
            shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
        stage.shell["BACKUP"] = str(folder / "clerkwork.dump")
        scene = Scene(stage=stage, world=world, kafka=kafka, key=key)
        await scene.hear(*(world.create_user(first_name="Ada") for _ in range(30)))
        await scene.until_true()
        yield scene
