"""Incremental runs, samples, runs on a schedule; what cron and Prometheus are told."""

from __future__ import annotations

import asyncio
import io
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from deploy.reconcile.drift import ExitCode
from deploy.reconcile.repeat import repeat
from deploy.reconcile.run import Wishes, run_reconcile
from deploy.reconcile.settle import Patience
from tests.integration.deploy.reconcile.conftest import USERS, found
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.reconcile.drift import Report
    from deploy.standin.world import World
    from tests.integration.deploy.reconcile.conftest import Scene


async def _watermark(scene: Scene) -> int:
    query = "SELECT changed_until FROM sweeps WHERE kind = 'reconcile' AND resource = 'users'"
    return int(await scene.value(query))


def _latest(world: World) -> int:
    return max(user["updated_at"] for user in world.users.values())


async def test_incremental_runs_miss_nothing(scene: Scene) -> None:
    """Each goes on from the last one's beginning, by Clerk's times, whatever ours are."""
    world = scene.world
    first = await scene.reconcile(incremental=True)
    begun = _latest(world)
    noted = [await _watermark(scene)]
    for _ in range(3):
        world.advance(3_600_000)
        world.update_user(world.random.choice(scene.users), first_name="Grace")
        lost = world.create_user().id
        report = await scene.reconcile(incremental=True, overlap_s=0.05, repair=True)
        noted.append(await _watermark(scene))

        assert report.mode == "incremental"
        assert found(report)["users", "missing"] == (lost,)
        assert len(found(report)["users", "stale"]) == 1
        assert report.exit_code == ExitCode.CLEAN
        assert report.checked["users"] < 10
        assert noted[-1] == _latest(world)

    assert first.mode == "full"
    assert noted[0] == begun
    assert found(await scene.reconcile()) == {}


async def test_what_was_left_is_found_again(scene: Scene) -> None:
    """The watermark stays where it is until all before it is mended."""
    await scene.reconcile()
    begun = await _watermark(scene)
    scene.world.advance(3_600_000)
    lost = scene.world.create_user().id
    reports = []
    for repair in (False, False, True, False):
        scene.world.advance(3_600_000)
        await scene.hear(scene.world.update_user(scene.users[0], first_name="Grace"))
        reports.append(await scene.reconcile(incremental=True, overlap_s=0, repair=repair))

    assert [each.exit_code for each in reports] == [1, 1, 0, 0]
    assert [found(each) for each in reports[:3]] == [{("users", "missing"): (lost,)}] * 3
    assert begun < await _watermark(scene)


async def test_a_missed_deletion_shows_in_the_counts(scene: Scene) -> None:
    """Which is only a hint: an incremental run does not look for it."""
    await scene.reconcile()
    scene.world.delete_user(scene.users[0])
    report = await scene.reconcile(incremental=True)

    assert found(report) == {}
    assert (report.users_at_clerk, report.users_here) == (USERS - 1, USERS)


async def test_the_estimate_of_a_sample_contains_the_truth(scene: Scene) -> None:
    """Some are missing and stale, others gone; nothing is said that was not seen."""
    world = scene.world
    world.populate(160)
    await scene.reconcile(repair=True)
    truth = {"clerk": 0.3, "here": 0.2}
    for user in list(world.users)[:40]:
        world.delete_user(user)
    for user in list(world.users)[::4]:
        world.update_user(user, first_name="Grace")
    world.populate(12)  # 40 of 160 are stale, and 12 missing: 52 of 172
    reports = [await scene.reconcile(sample=120) for _ in range(4)]
    report = reports[0]

    assert report.exit_code == ExitCode.DRIFT
    for side, share in report.shares.items():
        # One of twenty may miss it; that three of four do is one chance in two thousand.
        intervals = [each.shares[side] for each in reports]
        assert sum(each.low < truth[side] < each.high for each in intervals) >= 2, side
        assert share.high - share.low < 0.2
        assert share.of == {"clerk": 172, "here": 200}[side]
    assert await _watermark(scene) is not None


async def test_a_sample_of_all_is_exact(scene: Scene) -> None:
    """Nothing is left to chance then, on Clerk's side; where nothing drifts, none is seen."""
    scene.world.update_user(scene.users[0], first_name="Grace")
    exact = await scene.reconcile(sample=10_000)
    await scene.reconcile(repair=True)
    clean = await scene.reconcile(sample=20)

    assert exact.shares["clerk"].low == exact.shares["clerk"].high == 1 / USERS
    assert clean.exit_code == ExitCode.CLEAN
    assert clean.shares["here"].low == 0


@pytest.fixture
def environment(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator has exported."""
    settings = scene.settings
    monkeypatch.setattr("deploy.reconcile.run.configure_logs", lambda _settings: None)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("CLERK_SECRET_KEY", settings.clerk_secret_key.get_secret_value())
    monkeypatch.setenv("CLERK_API_URL", str(settings.clerk_api_url))


async def _run(**wishes: Any) -> tuple[int, str]:
    said = io.StringIO()
    chosen = Wishes(patience=Patience(settle_s=0, workers_s=30), **wishes)
    console = Console(file=said, soft_wrap=True, highlight=False)
    code = await asyncio.to_thread(run_reconcile, chosen, console)
    return code, said.getvalue()


@pytest.mark.usefixtures("environment")
async def test_cron_is_told_by_the_exit_code(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And people by a table, machines by a line, Prometheus by a file."""
    clean = await _run()
    lost = scene.world.create_user(email="ada@example.com").id
    place = tmp_path / "reconcile.prom"
    drift, line = await _run(as_json=True, metrics_file=place)
    mended = await _run(repair=True)
    monkeypatch.setenv("CLERK_SECRET_KEY", "sk_live_wrong")
    wrong = await _run()
    monkeypatch.setenv("CLERK_SECRET_KEY", "pk_live_public")
    invalid = await _run()

    assert [clean[0], drift, mended[0], wrong[0], invalid[0]] == [0, 1, 0, 2, 2]
    told = json.loads(line)
    assert told["drifts"][0] | {"ids": [lost], "kind": "missing", "found": 1} == told["drifts"][0]
    assert told["exit_code"] == 1
    assert f"users missing, mended: {lost}" in mended[1]
    assert "0 differ, 0 left." in clean[1]
    assert "example.com" not in line + mended[1]
    samples = _samples(place.read_text(encoding="utf-8"))
    assert samples['clerkwork_drift{"kind": "missing", "resource": "users"}'] == 1
    assert samples["clerkwork_reconcile_finished_timestamp_seconds{}"] > 1.7e9


def _samples(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{json.dumps(sample.labels, sort_keys=True)}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_runs_on_a_schedule_tell_prometheus(scene: Scene) -> None:
    """Drift comes and goes; a run that fails is counted, and the next one comes all the same."""
    url = f"http://127.0.0.1:{scene.settings.reconcile_metrics_port}/metrics"
    mending = False

    async def compare() -> Report:
        return await scene.reconcile(repair=mending)

    async def look(name: str) -> float:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(url) as response:
                    return _samples(await response.text()).get(name, -1)
            except aiohttp.ClientConnectionError:
                return -1

    def runs(outcome: str) -> Any:
        return partial(look, f'clerkwork_reconcile_runs_total{{"outcome": "{outcome}"}}')

    missing = partial(look, 'clerkwork_drift{"kind": "missing", "resource": "users"}')
    stop = asyncio.Event()
    running = asyncio.create_task(repeat(compare, scene.settings, every_s=0.2, stop=stop))
    await until(runs("clean"), lambda count: count >= 1)
    scene.world.create_user()
    await until(missing, lambda count: count == 1)
    mending = True
    await until(missing, lambda count: count == 0)
    scene.trouble.before_answer = _refuse
    await until(runs("unfinished"), lambda count: count >= 1)
    scene.trouble.before_answer = None
    before = await runs("clean")()
    await until(runs("clean"), lambda count: count > before)
    stop.set()
    await running

    checked = 'clerkwork_reconcile_checked_total{"resource": "users"}'
    assert await look(checked) == -1


def _refuse(_request: object) -> None:
    raise aiohttp.web.HTTPForbidden
