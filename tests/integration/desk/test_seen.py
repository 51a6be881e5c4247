"""The desk as others see it: what it counts for Prometheus, and what it traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from schema import VERSION
from schema.ops.metrics import BUDGETS, catalogue
from tests.collector import collecting
from tests.desk import seated, serving_desk
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from prometheus_client.samples import Sample

    from tests.desk import Seat


async def _scrape(seat: Seat) -> list[Sample]:
    text = (await seat.get("/metrics")).text
    return [each for one in text_string_to_metric_families(text) for each in one.samples]


async def test_it_counts_what_the_catalogue_says(
    bootstrap_servers: str, database_url: str, admin: str
) -> None:
    """All of it and nothing else, within its budget; the version too."""
    async with (
        serving_desk(bootstrap_servers, database_url, desk_rate_limits="*=99/minute/ip") as server,
        seated(server) as seat,
    ):
        await seat.sign_in(admin)
        await seat.get("/audit")
        samples = await _scrape(seat)
    ours = {each.name for each in samples if each.name.startswith("clerkwork_")}
    declared = {each.name for each in catalogue()["desk"]} - {"clerkwork_processes"}

    assert all(any(name.startswith(each) for name in ours) for each in declared)
    assert all(any(name.startswith(each) for each in declared) for name in ours)
    assert len(samples) < BUDGETS["desk"]
    assert {"version": VERSION} in [each.labels for each in samples if "build" in each.name]
    routes = {each.labels["route"] for each in samples if each.name.endswith("request_seconds_sum")}
    assert "/audit" in routes


async def test_behind_one_port_each_tells_of_all(
    bootstrap_servers: str, database_url: str, tmp_path: Path
) -> None:
    """As ingest and the API do."""
    shared = {"metrics_share": tmp_path / "share"}
    async with (
        serving_desk(bootstrap_servers, database_url, **shared),
        serving_desk(bootstrap_servers, database_url, **shared) as second,
        seated(second) as seat,
    ):
        samples = await _scrape(seat)
    infos = [each for each in samples if each.name == "clerkwork_build_info"]

    assert {each.labels["process"] for each in infos} == {"0", "1"}


async def test_its_requests_are_traced_where_somebody_collects(
    bootstrap_servers: str, database_url: str, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their routes: an address says whom somebody searched for."""
    async with collecting() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        async with serving_desk(bootstrap_servers, database_url) as server, seated(server) as seat:
            await seat.sign_in(admin)
            await seat.get(f"/events?user={admin}")
            spans = await until(
                collector.spans, lambda found: "GET /events" in {each.name for each in found}
            )

    assert {each.service for each in spans} == {"clerkwork-desk"}
    assert not any(admin.encode() in body for body in collector.bodies)
