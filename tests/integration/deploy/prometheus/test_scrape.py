"""A real Prometheus scrapes the real processes, and its alerts say what happens to them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from deploy.environment import ROOT
from deploy.services import Service, Services
from deploy.stack import Process, Program
from deploy.stack.ports import LOOPBACK, free_port
from deploy.tokens import new_private_key, public_key
from tests.debian import find_program
from tests.factories import SECRET, new_user_id, sign, user_event
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = ROOT / "deploy/prometheus"
MODULES = {
    "ingest": ("ingest", "INGEST_PORT"),
    "worker": ("workers", "WORKER_METRICS_PORT"),
    "relay": ("workers.relay", "RELAY_METRICS_PORT"),
    "api": ("api", "API_PORT"),
}
"""Process -> its module, and the variable that says its port."""


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """One that listens, and what it knows."""

    url: str

    async def ask(self, path: str, **query: str) -> Any:
        """Return the data of an answer."""
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
            answer = await client.get(f"/api/v1/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def value(self, expression: str) -> float:
        """Return what an expression comes to, -1 for nothing."""
        found = (await self.ask("query", query=expression))["result"]
        return float(found[0]["value"][1]) if found else -1

    async def pages(self) -> dict[str, dict[str, str]]:
        """Return every alert that would wake somebody now, with its annotations."""
        return {
            alert["labels"]["alertname"]: alert["annotations"]
            for alert in (await self.ask("alerts"))["alerts"]
            if alert["state"] == "firing" and alert["labels"]["severity"] == "page"
        }


@pytest.fixture
def services(bootstrap_servers: str, database_url: str, tmp_path: Path) -> Iterator[Services]:
    """The processes of clerkwork, one of each."""
    common = {
        "PATH": os.environ["PATH"],
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "DATABASE_URL": database_url,
        "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
        "CLERK_JWT_KEY": public_key(new_private_key()),
        "WORKER_INSTANCE_ID": "scraped",  # it takes its partitions back at once
    }
    ports = {name: free_port() for name in MODULES}
    services = Services(
        [
            Service(
                name=name,
                module=module,
                port=ports[name],
                environment=common | {variable: str(ports[name])},
                log=tmp_path / f"{name}.log",
            )
            for name, (module, variable) in MODULES.items()
        ]
    )
    with services.running():
        yield services


def configure(folder: Path, services: Services) -> Path:
    """Write the real configuration and the real rules, in a hurry and for these processes."""
    config = yaml.safe_load((HERE / "prometheus.yml").read_text("utf-8"))
    config["global"] = dict.fromkeys(config["global"], "500ms")
    config["scrape_configs"] = [
        job | {"static_configs": [{"targets": [f"{LOOPBACK}:{service.port}"]}]}
        for job in config["scrape_configs"]
        if (service := services.named.get(job["job_name"].removeprefix("clerkwork-")))
    ]
    (folder / "rules").mkdir()
    for path in HERE.glob("rules/*.yml"):
        rules = yaml.safe_load(path.read_text("utf-8"))
        for rule in (rule for group in rules["groups"] for rule in group["rules"]):
            if "for" in rule:
                rule["for"] = "1s"
        (folder / "rules" / path.name).write_text(yaml.safe_dump(rules), "utf-8")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    return folder / "prometheus.yml"


@pytest.fixture
def prometheus(services: Services, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes them twice a second."""
    url = f"http://{LOOPBACK}:{free_port()}"
    program = Program(
        name="Prometheus",
        command=[
            find_program("prometheus", package="prometheus"),
            f"--config.file={configure(tmp_path, services)}",
            f"--storage.tsdb.path={tmp_path / 'series'}",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--log.level=warn",
        ],
        log=tmp_path / "prometheus.log",
        ready=lambda: _answers(url),
    )
    with Process(program):
        yield Prometheus(url=url)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


async def send_webhook(url: str) -> None:
    """Have one user come to be."""
    body = user_event(new_user_id(), at=1)
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.post("/webhooks/clerk", content=body, headers=sign(body))
    assert answer.status_code == 202


async def test_the_alert_of_a_stopped_worker_fires_and_clears(
    prometheus: Prometheus, services: Services
) -> None:
    """All are scraped, every rule can be evaluated, and what happens is seen from outside."""
    await until(lambda: prometheus.value("count(up == 1)"), lambda up: up == len(MODULES))
    await send_webhook(services.named["ingest"].url)
    accepted = 'clerkwork_webhooks_total{answer="accepted"}'
    await until(lambda: prometheus.value(accepted), lambda number: number == 1)
    applied = 'clerkwork_events_total{outcome="applied"}'
    await until(lambda: prometheus.value(applied), lambda number: number == 1)
    await until(lambda: _broken_rules(prometheus), lambda broken: broken == [])
    await until(prometheus.pages, lambda pages: not pages)

    await asyncio.to_thread(services.kill, "worker")
    pages = await until(prometheus.pages, bool)

    assert pages.keys() == {"ClerkworkWorkerStopped"}
    told = pages["ClerkworkWorkerStopped"]["runbook_url"]
    assert told == "deploy/docs/runbook.md#clerkworkworkerstopped"
    await asyncio.to_thread(services.start, "worker")
    await until(prometheus.pages, lambda pages: not pages)


async def _broken_rules(prometheus: Prometheus) -> list[str]:
    """Return each rule that was not evaluated yet, or could not be."""
    groups = (await prometheus.ask("rules"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 50
    return [
        f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}"
        for rule in rules
        if rule["health"] != "ok"
    ]
