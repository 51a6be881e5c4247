"""All of clerkwork on servers of its own, whose topics compact at once; and an operator's shell."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.environment import ROOT
from deploy.migrate import migrate
from deploy.post import Delivery, post
from deploy.stack import running_stack
from deploy.stack.ports import free_port
from deploy.system import System, Wishes, describe_system
from deploy.tokens import mint_token
from deploy.topics import connected_admin
from schema.kafka.topics import CHANGES
from tests.collector import Collector, collecting
from tests.conftest import Servers, create_topics
from tests.factories import new_event_id
from tests.integration.deploy.erase.search import (
    Search,
    search_logs,
    search_metrics,
    search_spans,
    search_tables,
    search_topics,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from deploy.stack import Stack

PAGE: Final = ROOT / "deploy/docs/how-to/erase.md"
HASTE: Final = {
    "cleanup.policy": "compact",
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "200",
}
_PORTS: Final = ("ingest", "api", "worker", "relay", "canary", "desk")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where everything is."""

    system: System
    collector: Collector
    database: asyncpg.Connection[asyncpg.Record]
    http: aiohttp.ClientSession

    @property
    def kafka(self) -> str:
        """Where Kafka is."""
        return self.system.stack.bootstrap_servers

    async def tell(self, body: bytes, *, status: str = "accepted") -> str:
        """Deliver a webhook, and return its id."""
        event_id = new_event_id()
        delivery = Delivery(event_id=event_id, body=body)
        secret = self.system.signing_secret
        answer = await post(self.http, self.system.webhooks_url, delivery, secret=secret)
        assert answer.code == status, answer
        return event_id

    async def ask(self, user: str, method: str, url: str, **options: Any) -> Any:
        """Return what a door answers to a user."""
        token = mint_token(self.system.private_key, user_id=user, minutes=5)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "zephyr"}
        async with self.http.request(method, url, headers=headers, **options) as answer:
            text = await answer.text()
            assert answer.status < 300, text
            return json.loads(text)

    async def watch(self, admin: str, path: str) -> str:
        """Return what the desk shows an administrator."""
        token = mint_token(self.system.private_key, user_id=admin, minutes=5)
        url = f"{self.system.desk_url}{path}"
        async with self.http.get(url, headers={"Cookie": f"__session={token}"}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def until_dealt_with(self, *ids: str) -> None:
        """Return when the ledger has these events."""

        async def count() -> int:
            asked = "SELECT count(DISTINCT event_id) FROM events WHERE event_id = ANY($1::text[])"
            return int(await self.database.fetchval(asked, list(ids)))

        await until(count, lambda found: found == len(ids))

    async def run(self, script: str, *, person: str, code: int = 0) -> str:
        """Return what a script of an operator says, run as it is printed."""
        stack = self.system.stack
        process = await asyncio.create_subprocess_exec(
            *(
                "bash",
                "-c",
                f'set -e\nclerkwork() {{ {sys.executable} -m deploy "$@"; }}\n{script}',
            ),
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
                "DATABASE_URL": stack.database_url,
                "PERSON": person,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
        assert process.returncode == code, said.decode()
        return said.decode()

    async def search(self, *texts: str) -> set[str]:
        """Return wherever one of these texts is."""
        search = Search(*texts)
        await search_tables(search, self.database)
        await search_topics(search, self.kafka)
        search_logs(search, self.system.logs)
        urls = {name: each.url for name, each in self.system.services.named.items()}
        await search_metrics(search, urls)
        search_spans(search, self.collector)
        return search.places

    async def search_topics(self, *texts: str) -> set[str]:
        """Return wherever one of these texts is in Kafka."""
        search = Search(*texts)
        await search_topics(search, self.kafka)
        return search.places

    async def make_haste(self) -> None:
        """Have the change topics compacted from now on."""
        configs = [
            ConfigResource(ConfigResourceType.TOPIC, topic.name, configs={**topic.config, **HASTE})
            for topic in CHANGES
        ]
        async with connected_admin({"bootstrap_servers": self.kafka}) as admin:
            await admin.alter_configs(configs)


def read_commands() -> list[str]:
    """Return the scripts of the page, in their order."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@contextlib.asynccontextmanager
async def opened_stage(data: Path) -> AsyncIterator[Stage]:
    """Have every process running and ready, the desk and a canary among them."""
    async with collecting() as collector, contextlib.AsyncExitStack() as opened:
        running = running_stack(data=data)
        stack = await asyncio.to_thread(opened.enter_context, running)
        await asyncio.gather(migrate(stack.database_url), create_topics(_at(stack)))
        ports = {f"{name}_port": free_port() for name in _PORTS}
        environment = {
            "PATH": os.environ["PATH"],
            "LOG_FORMAT": "json",
            **collector.environment,
        }
        wishes = Wishes(data=data, environment=environment, **ports)
        system = describe_system(wishes, stack=stack, logs=data / "logs")
        await asyncio.to_thread(opened.enter_context, system.services.running())
        database = await asyncpg.connect(stack.database_url)
        opened.push_async_callback(database.close)
        http = await opened.enter_async_context(aiohttp.ClientSession())
        yield Stage(system=system, collector=collector, database=database, http=http)


def _at(stack: Stack) -> Servers:
    return Servers(bootstrap_servers=stack.bootstrap_servers, database_url=stack.database_url)
