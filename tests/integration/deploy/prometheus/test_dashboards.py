"""A real Prometheus that scrapes the real processes answers every expression of the dashboards."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from deploy.grafana.write import DASHBOARDS
from tests.integration.deploy.prometheus.test_promtool import HERE, promtool
from tests.integration.deploy.prometheus.test_scrape import (
    MODULES,
    prometheus,  # noqa: F401  # a fixture
    send_webhook,
    services,  # noqa: F401  # a fixture
)
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.services import Services
    from tests.integration.deploy.prometheus.test_scrape import Prometheus

BEGUN = (
    "clerkwork:changes_published:rate5m > 0",
    "clerkwork:freshness:budget_left30d",
    "clerkwork:ingest:budget_left30d",
    'sum(clerkwork:http_requests:rate5m{job="clerkwork-api", status="4xx"})',
    'sum(clerkwork:webhooks:rate5m{answer!="accepted"})',
)
"""What Prometheus has to have seen twice before panels can show rates."""

NOT_SO_HERE = {
    # Neither the canary nor reconcile nor the desk runs,
    "Canaries lost",
    "Last seen in the API",
    "Until it was seen",
    "Lost, in 5 minutes",
    "Differences from Clerk",
    "Last comparison with Clerk",
    "Drift",
    "Desk",
    # nobody is cut off, and nothing that may be cached is read.
    "Connections turned away",
    "Reads that the cache answered",
}
"""Panels that have nothing to show."""


def panels() -> list[dict[str, Any]]:
    """Return every panel of the committed files that asks something."""
    files = (json.loads(path.read_text("utf-8")) for path in DASHBOARDS)
    return [panel for file in files for panel in file["panels"] if panel["type"] != "row"]


async def answers(panel: dict[str, Any], asked: Prometheus) -> int:
    """Return how many series a panel would show; an expression that is wrong fails here."""
    expressions = (target["expr"].replace("$__range", "5m") for target in panel["targets"])
    found = [await asked.ask("query", query=expression) for expression in expressions]
    return sum(len(each["result"]) for each in found)


async def test_every_expression_is_understood_and_shows_what_runs(
    prometheus: Prometheus,  # noqa: F811  # the fixture's value
    services: Services,  # noqa: F811  # the fixture's value
) -> None:
    """None is an error, and none is empty but what nobody tells of or what did not happen."""
    await until(lambda: prometheus.value("count(up == 1)"), lambda up: up == len(MODULES))
    for expression in BEGUN:
        await until(partial(_shown, expression, asked=prometheus, used=services), bool)

    empty = {panel["title"] for panel in panels() if not await answers(panel, prometheus)}

    assert len(panels()) > 80
    assert empty == NOT_SO_HERE


async def _shown(expression: str, *, asked: Prometheus, used: Services) -> bool:
    """Use the services once more, and tell whether that is seen."""
    await send_webhook(used.named["ingest"].url)
    async with httpx.AsyncClient() as client:
        refused = await client.get(f"{used.named['api'].url}/v1/users/me")
        forged = await client.post(f"{used.named['ingest'].url}/webhooks/clerk", json={})
    assert refused.is_client_error
    assert forged.is_client_error
    return await asked.value(expression) > 0


async def test_what_compose_starts_is_valid() -> None:
    """With the same rules."""
    code, said = await promtool("check", "config", HERE / "compose.yml")

    assert code == 0, said
    assert f"{len(list(HERE.glob('rules/*.yml')))} rule files found" in said
