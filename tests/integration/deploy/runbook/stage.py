"""A clerkwork that runs, an operator's shell beside it, and somebody who does what it says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import asyncpg
import httpx
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from deploy.environment import ROOT
from deploy.services import Service
from deploy.stack import Process
from deploy.stack.ports import LOOPBACK, free_port
from tests.factories import SECRET, new_user_id, sign, user_event
from tests.runbook import read_sections, read_setup
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

SECTIONS: Final = read_sections()
MODULES: Final = {
    "ingest": ("ingest", "INGEST_PORT"),
    "worker": ("tests.integration.deploy.runbook.hasty", "WORKER_METRICS_PORT"),
    "relay": ("workers.relay", "RELAY_METRICS_PORT"),
    "api": ("api", "API_PORT"),
    "canary": ("deploy.canary", "CANARY_METRICS_PORT"),
}
"""Process -> its module, and the variable that says its port."""

_SHIMS: Final = {
    "clerkwork": f'exec {sys.executable} -m deploy "$@"',
    # In the place of `docker compose`: the test does what it is told.
    "docker": """shift; verb=$1; shift
if [ "$verb" = logs ]; then shift 2; for name; do cat "$LOGS/$name.log"; done; exit; fi
for name; do curl -sS --fail-with-body -X POST "$STAGE/$verb/$name"; done""",
    "kafka-consumer-groups.sh": (
        f'exec {sys.executable} -m tests.integration.deploy.runbook.groups "$@"'
    ),
}


class ShellError(AssertionError):
    """A script of the runbook has failed; the message is what it said."""


@dataclass(kw_only=True)
class Stage:
    """All processes, and the shell of the operator."""

    services: dict[str, Service]
    shell: dict[str, str]
    """The environment of the operator's shell."""
    database: asyncpg.Connection[asyncpg.Record]
    processes: dict[str, Process] = field(default_factory=dict)
    acts: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self, name: str, *, ready: bool = True) -> None:
        """Start a process, and return when it is ready unless nobody waits for that."""
        process = self.processes[name] = Process(self.services[name].program())
        await asyncio.to_thread(process.start)
        if ready:
            service = self.services[name]
            await until(lambda: asyncio.to_thread(service.is_ready), bool)

    async def stop(self, name: str) -> None:
        """Stop a process, if it runs."""
        if process := self.processes.pop(name, None):
            await asyncio.to_thread(process.stop)

    async def kill(self, name: str) -> None:
        """End a process, as a crash would."""
        await asyncio.to_thread(self.processes.pop(name).kill)

    async def deploy(self, name: str, *, ready: bool = True, **changes: str) -> None:
        """Start a process anew with other variables."""
        self.configure(name, **changes)
        await self.stop(name)
        await self.start(name, ready=ready)

    def configure(self, name: str, **changes: str) -> None:
        """Change the variables that a process starts with; an empty one is as if unset."""
        service = self.services[name]
        changed = {**service.environment, **changes}
        self.services[name] = replace(
            service, environment={name: value for name, value in changed.items() if value}
        )

    async def run(self, script: str, *codes: int) -> str:
        """Return what a script of the runbook says, run as it is printed.

        Raises ShellError unless its exit code is 0 or one of `codes`.
        """
        whole = f"{read_setup()}\nset -e\n{script}"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", whole),
            cwd=ROOT,
            env=self.shell,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(90):
            said, _ = await process.communicate()
        if process.returncode not in {0, *codes}:
            raise ShellError(f"{script}\nended with {process.returncode}:\n{said.decode()}")
        return said.decode()

    async def look(self, alert: str) -> list[str]:
        """Return what the first three commands of a section say, whether they find something."""
        commands = SECTIONS[alert].commands
        return await asyncio.gather(*(self.run(command, 1, 7) for command in commands))

    async def cure(self, alert: str, number: int = 0) -> str:
        """Do what a section says, and return what that says."""
        return await self.run(SECTIONS[alert].cures[number])

    async def value(self, name: str, metric: str, **labels: str) -> float:
        """Return the sum of a metric over all series with these labels, -1 for none."""
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(f"{self.services[name].url}/metrics")
        except httpx.TransportError:
            return -1
        found = [
            sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else -1

    async def post(self, body: bytes, *, secret: str = SECRET) -> int:
        """Send what Clerk would, and return the status of the answer."""
        async with httpx.AsyncClient(base_url=self.services["ingest"].url, timeout=10) as client:
            headers = sign(body, secret=secret)
            answer = await client.post("/webhooks/clerk", content=body, headers=headers)
        return answer.status_code

    async def tell(self, *, user: str | None = None, at: int = 1, name: str = "Ada") -> str:
        """Tell of a user, and return the id."""
        user = user or new_user_id()
        assert await self.post(user_event(user, at=at, first_name=name)) == 202
        return user

    async def disconnect(self) -> None:
        """Close the connection to the database."""
        await self.database.close()

    async def reconnect(self) -> None:
        """Have a new connection to the database."""
        await self.disconnect()
        self.database = await asyncpg.connect(self.shell["DATABASE_URL"])

    async def knows(self, user: str) -> bool:
        """Tell whether a user is in the tables."""
        found = await self.database.fetchval("SELECT 1 FROM users WHERE clerk_id = $1", user)
        return found is not None

    async def until_known(self, user: str) -> None:
        """Return when a user is in the tables."""
        await until(lambda: self.knows(user), bool)

    async def until_well(self) -> None:
        """Return when all processes are ready and events come through."""
        for service in self.services.values():
            await until(lambda: asyncio.to_thread(service.is_ready), bool)  # noqa: B023 - awaited here
        await self.until_known(await self.tell())


@contextlib.asynccontextmanager
async def opened_stage(
    *, bootstrap_servers: str, database_url: str, folder: Path, extra: Mapping[str, str]
) -> AsyncIterator[Stage]:
    """Open the curtain: every process runs and is ready."""
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "DATABASE_URL": database_url,
        "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
        **extra,
    }
    ports = {name: free_port() for name in MODULES}
    url = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
    common = {
        "PATH": os.environ["PATH"],
        **variables,
        "WORKER_REJECT_RUN": "20",
        "CANARY_EVERY_S": "2",
        "CANARY_INGEST_URL": f"{url['ingest']}/webhooks/clerk",
        "CANARY_API_URL": url["api"],
    }
    services = {
        name: Service(
            name=name,
            module=module,
            port=ports[name],
            environment=common | {variable: str(ports[name])},
            log=folder / f"{name}.log",
        )
        for name, (module, variable) in MODULES.items()
    }
    shell = {
        **variables,
        "PATH": f"{_write_shims(folder)}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LOGS": str(folder),
        "COLUMNS": "200",  # an operator's terminal is wide
        "CANARY_INGEST_URL": common["CANARY_INGEST_URL"],
        "CANARY_API_URL": common["CANARY_API_URL"],
        **{name.upper(): address for name, address in url.items()},
    }
    database = await asyncpg.connect(database_url)
    stage = Stage(services=services, shell=shell, database=database)
    async with _obeying(stage), contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(stage.disconnect)
        for name in MODULES:
            stack.push_async_callback(stage.stop, name)
        await asyncio.gather(*(stage.start(name) for name in MODULES))
        yield stage


@contextlib.asynccontextmanager
async def _obeying(stage: Stage) -> AsyncIterator[None]:
    """Restart and stop processes as the shell says."""

    async def act(request: web.Request) -> web.Response:
        verb, name = request.match_info["verb"], request.match_info["name"]
        async with stage.acts:
            await stage.stop(name)
            if verb == "restart":
                await stage.start(name)
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/{verb:restart|stop}/{name}", act)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        stage.shell["STAGE"] = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        yield
    finally:
        await runner.cleanup()


def _write_shims(folder: Path) -> Path:
    """Write the programs that stand in for the operator's, and return where they are."""
    place = folder / "bin"
    place.mkdir()
    for name, script in _SHIMS.items():
        path = place / name
        path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return place
