"""What must never happen: an alarm over what is on its way, and a table emptied by mistake."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from deploy.clerk.resources import NOT_ENABLED
from deploy.clerk.sides import opened_sides, require_alone
from deploy.errors import OperatorError
from deploy.reconcile.drift import ExitCode
from deploy.standin.refuse import RefusedError
from deploy.standin.world import INSTANCE_ID
from schema.postgres.ids import derive_id
from tests.integration.deploy.reconcile.conftest import USERS, found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import web

    from deploy.standin.told import Told
    from tests.integration.deploy.reconcile.conftest import Scene

ROOT = Path(__file__).parents[4]


async def test_what_is_on_its_way_is_no_drift(scene: Scene) -> None:
    """Clerk changes while it is asked, and its webhooks come later than its answers."""
    late: list[asyncio.Task[None]] = []
    changes = _change(scene)

    def change(_request: web.Request) -> None:
        told = [each for tellings in next(changes, []) for each in tellings]
        late.append(asyncio.create_task(_tell_later(scene, told)))

    scene.trouble.before_answer = change
    report = await scene.reconcile(settle=1.5, repair=True)
    await asyncio.gather(*late)

    assert next(changes, None) is None
    assert found(report) == {}
    assert (report.exit_code, report.published) == (ExitCode.CLEAN, 0)


def _change(scene: Scene) -> Iterator[list[Told]]:
    """Change the world, a little each time that it is asked for."""
    world, users = scene.world, scene.users
    first, second, *_, last = scene.organizations
    yield [world.create_user() for _ in range(3)]
    yield [world.update_user(user, first_name="Grace") for user in users[:5]]
    yield [world.delete_user(user) for user in users[5:8]]
    yield [world.add_member(first, users[30])]
    yield [world.update_user(user, first_name="Ada") for user in users[8:12]]
    yield [world.create_user(), world.delete_user(users[13])]
    yield [world.delete_organization(last), world.create_organization()]
    yield [world.update_organization(second, name="Southwind")]
    yield [world.remove_member(scene.members[1])]


async def _tell_later(scene: Scene, told: list[Told]) -> None:
    await asyncio.sleep(0.5)  # as long as Clerk may take, and shorter than is waited for it
    for each in told:
        await scene.publish(each)


async def test_a_webhook_that_is_newer_than_the_page_wins(scene: Scene) -> None:
    """It comes between the page and its comparison, and is neither drift nor overwritten."""
    user = scene.users[0]
    told: list[Told] = []

    async def overtake(request: web.Request) -> None:
        if request.path.endswith("/organizations") and not told:
            told.append(scene.world.update_user(user, first_name="Newest"))
            await scene.hear(*told)

    scene.trouble.before_answer = overtake
    report = await scene.reconcile(repair=True)

    assert found(report) == {}
    name = "SELECT first_name FROM users WHERE clerk_id = $1"
    assert await scene.value(name, user) == "Newest"


async def test_workers_that_are_behind_are_no_drift(scene: Scene) -> None:
    """They have their time; when it is over, nothing is mended, and the run counts for nothing."""
    told = scene.world.create_user()
    await scene.database.execute("BEGIN")
    await scene.database.execute("LOCK TABLE users IN EXCLUSIVE MODE")
    await scene.hear(told, applied=False)
    report = await scene.reconcile(patience=0.5, repair=True)
    await scene.database.execute("COMMIT")
    after = await scene.reconcile()

    assert report.behind > 0
    assert (report.exit_code, report.published) == (ExitCode.UNFINISHED, 0)
    assert found(after) == {}


async def test_too_many_deletions_are_refused(scene: Scene) -> None:
    """Nothing of that kind is deleted then, not one; the others are mended; force does all."""
    for user in scene.users[:9]:
        scene.world.delete_user(user)
    [lost] = scene.world.create_user()
    just_allowed = await scene.reconcile(max_deletions=22.5)
    refused = await scene.reconcile(repair=True, max_deletions=20)
    living = await scene.value("SELECT count(*) FROM users WHERE deleted_at IS NULL")
    forced = await scene.reconcile(repair=True, max_deletions=20, force=True)

    assert just_allowed.refusals == ()
    assert refused.exit_code == ExitCode.UNFINISHED
    [refusal] = refused.refusals
    assert (refusal.resource, refusal.candidates, refusal.allowed) == ("users", 9, 8)
    assert (refused.published, refused.left, living) == (1, 9, USERS + 1)
    assert found(refused)["users", "missing"] == (lost.id,)
    assert forced.exit_code == ExitCode.CLEAN
    assert await scene.value("SELECT count(*) FROM users WHERE deleted_at IS NULL") == USERS - 8


async def test_nothing_ends_with_whoever_is_not_deleted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memberships of those who were not even looked up, since too many others were gone."""
    monkeypatch.setattr("deploy.reconcile.confirm.AT_ONCE", 1)
    member = max(scene.users[:16], key=derive_id)
    others = [each for each in scene.users[16:] if derive_id(each) < derive_id(member)]
    for user in [*others[:11], member]:
        scene.world.delete_user(user)
    report = await scene.reconcile(repair=True, max_deletions=25)

    assert [each.resource for each in report.refusals] == ["users"]
    assert len(found(report)["memberships", "gone"]) == 1
    assert report.published == 0
    lasting = "SELECT count(*) FROM organization_memberships WHERE deleted_at IS NULL"
    assert await scene.value(lasting) == 16


async def test_an_instance_without_organizations_loses_none(scene: Scene) -> None:
    """They were switched off at Clerk, which then answers nothing about them; users are mended."""

    def refuse(request: web.Request) -> None:
        if request.path.startswith("/v1/organization"):
            raise RefusedError(403, NOT_ENABLED, "Not enabled.")

    lost = scene.world.create_user().id
    scene.trouble.before_answer = refuse
    report = await scene.reconcile(repair=True)

    assert found(report) == {("users", "missing"): (lost,)}
    assert report.exit_code == ExitCode.CLEAN
    assert report.checked == {"users": USERS + 1, "sessions": 0}
    assert await scene.value("SELECT count(*) FROM sweeps WHERE finished_at IS NULL") == 0


async def test_an_empty_answer_deletes_nobody(scene: Scene) -> None:
    """Whatever share is allowed; few are looked up, for that many cannot be right."""
    await scene.hear(scene.world.open_session(scene.users[0]))
    for things in (scene.world.memberships, scene.world.organizations, scene.world.sessions):
        things.clear()
    scene.world.users.clear()
    scene.world.version += 1
    report = await scene.reconcile(repair=True, max_deletions=100)

    assert report.exit_code == ExitCode.UNFINISHED
    assert [each.resource for each in report.refusals] == ["users", "organizations"]
    assert report.published == 0
    assert await scene.value("SELECT count(*) FROM users WHERE deleted_at IS NULL") == USERS
    assert await scene.value("SELECT count(*) FROM sessions WHERE status = 'active'") == 1


async def test_the_key_of_another_instance_is_refused(scene: Scene) -> None:
    """Before anything is compared."""
    other = scene.settings.model_copy(update={"clerk_instance_id": "ins_other"})
    ours = scene.settings.model_copy(update={"clerk_instance_id": INSTANCE_ID})
    before = scene.trouble.asked["/users"]
    with pytest.raises(OperatorError, match="ins_other"):
        await type(scene)(**vars(scene) | {"settings": other}).reconcile()

    assert scene.trouble.asked["/users"] == before
    assert found(await type(scene)(**vars(scene) | {"settings": ours}).reconcile()) == {}


async def test_a_sample_mends_nothing(scene: Scene) -> None:
    """Who wants that is told, and nothing is asked."""
    with pytest.raises(OperatorError, match="only estimates"):
        await scene.reconcile(sample=10, repair=True)

    assert scene.trouble.asked.total() == 0


async def test_one_runs_at_a_time(scene: Scene) -> None:
    """The second says so."""
    quiet = Console(quiet=True)
    async with opened_sides(scene.settings, "reconcile", console=quiet) as sides:
        await require_alone(sides)
        with pytest.raises(OperatorError, match=r"is running: clerkwork-reconcile \S+, since"):
            await scene.reconcile()


@pytest.fixture
async def operator(scene: Scene) -> AsyncIterator[asyncio.subprocess.Process]:
    """A reconcile of its own process, which mends."""
    settings = scene.settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "reconcile", "--repair", "--settle", "0"),
        cwd=ROOT,
        env={
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "CLERK_SECRET_KEY": settings.clerk_secret_key.get_secret_value(),
            "CLERK_API_URL": str(settings.clerk_api_url),
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_a_run_that_is_killed_in_mid_repair_is_made_up_for(
    scene: Scene, operator: asyncio.subprocess.Process
) -> None:
    """The next one mends what is left; what was mended twice is as if it was once."""
    scene.world.populate(250)
    for user in scene.users[:3]:
        scene.world.delete_user(user)

    def kill(request: web.Request) -> None:
        # The second hundred of those who are missing is asked for.
        if len(request.query.getall("user_id", [])) == 100:
            kill.asked += 1  # type: ignore[attr-defined]  # a function may have attributes
            if kill.asked == 2:  # type: ignore[attr-defined]  # the same
                operator.send_signal(signal.SIGKILL)

    kill.asked = 0  # type: ignore[attr-defined]  # the same
    scene.trouble.before_answer = kill
    async with asyncio.timeout(60):
        code = await operator.wait()
    scene.trouble.before_answer = None
    finished = "SELECT finished_at FROM sweeps WHERE resource = 'users'"
    unfinished = await scene.value(finished)
    report = await scene.reconcile(repair=True)
    after = await scene.reconcile()

    assert code == -signal.SIGKILL
    assert unfinished is None
    assert len(found(report)["users", "missing"]) == 150
    assert report.exit_code == ExitCode.CLEAN
    assert found(after) == {}
    assert await scene.value(finished) is not None
