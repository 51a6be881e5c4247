"""A backfill that may not be, or that only tells; and what it says of what it cannot publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.backfill import settle
from deploy.backfill.desk import CLIENT
from deploy.backfill.note import read_sweeps
from deploy.backfill.run import Wishes, rehearse
from deploy.backfill.settings import BackfillSettings
from deploy.backfill.summarise import tell_end
from deploy.database import connected
from deploy.errors import OperatorError
from deploy.standin.refuse import RefusedError
from deploy.standin.world import INSTANCE_ID

if TYPE_CHECKING:
    from aiohttp import web

    from tests.integration.deploy.backfill.conftest import Scene


async def test_a_dry_run_tells_and_publishes_nothing(scene: Scene) -> None:
    """How many there are, how many are here, which limit applies, and about how long it takes."""
    scene.world.populate(users=30, organizations=2, members=5)
    await rehearse(BackfillSettings(), Wishes(dry_run=True), scene.console)

    said = scene.said.getvalue()
    assert "at most 800 requests in 10 s: 80% of what production keys are allowed" in said
    assert "users: 30 at Clerk, 0 living ones here" in said
    assert "memberships: 10 at Clerk, 0 living ones here" in said
    assert "Nothing was published" in said
    assert await read_sweeps(scene.database) == []
    assert not await scene.snapshots()


async def test_of_two_at_once_the_second_is_told_of_the_first(scene: Scene) -> None:
    """And publishes nothing; when the first has ended, however, it may."""
    url = BackfillSettings().database_url.get_secret_value()
    scene.world.populate(users=3)
    async with connected(url, name=f"{CLIENT} ops@example") as other:
        await other.execute("SELECT pg_advisory_lock(6241363)")
        with pytest.raises(OperatorError, match=r"is running: clerkwork-backfill ops@example, si"):
            await scene.fill(wait=False)
        assert not await scene.snapshots()

    assert (await scene.fill(wait=False)).sound


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("CLERK_SECRET_KEY", "sk_test_of-somebody-else", "CLERK_SECRET_KEY"),
        ("CLERK_INSTANCE_ID", "ins_other", f"{INSTANCE_ID}, CLERK_INSTANCE_ID says ins_other"),
    ],
)
async def test_a_key_that_is_not_ours_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    """Before anything is published or noted."""
    monkeypatch.setenv(name, value)
    scene.world.populate(users=3)
    with pytest.raises(Exception, match=reason) as refused:
        await scene.fill()

    assert value.startswith("ins_") or value not in str(refused.value)
    assert await read_sweeps(scene.database) == []


async def test_clerks_wish_for_patience_is_granted(scene: Scene) -> None:
    """It is asked again after the time that it names."""
    scene.world.populate(users=20)
    left = 2

    def refuse(_: web.Request) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise RefusedError(429, "too_many_requests", "Later.", retry_after_s=1)

    scene.trouble.before_answer = refuse
    filled = await scene.fill(wait=False)

    assert filled.sound
    assert filled.seconds >= 2
    assert scene.trouble.answered[429] == 2


async def test_what_cannot_be_published_or_applied_is_named(scene: Scene) -> None:
    """By its id alone; the others arrive, and the exit code says that not all is through."""
    world = scene.world
    world.populate(users=10, organizations=1, members=3)
    ageless = world.create_user(created_at=None).id
    good = set(world.users)
    dead = world.create_user(first_name="N" * 5000).id
    world.users[world.create_user().id]["id"] = None
    lonely = next(iter(world.memberships))
    world.memberships[lonely]["public_user_data"] = None
    async with scene.worker():
        filled = await scene.fill()
    tell_end(filled, scene.console)

    said = scene.said.getvalue()
    assert not filled.sound
    assert [each.unreadable for each in filled.swept] == [("",), (), (lonely,)]
    assert "users: 13 seen, 12 published, 1 unreadable" in said
    assert "memberships: 3 seen, 2 published, 1 unreadable" in said
    assert f"unreadable: {lonely}" in said
    assert "in the ledger: 11 applied, 1 dead" in said
    assert f" of {dead}: $.data.first_name" in said
    assert "NNN" not in said
    assert set(await scene.versions()) == good
    assert ageless in good


async def test_without_a_worker_nobody_waits_for_ever(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is told, and everything published stays noted."""
    monkeypatch.setattr(settle, "PATIENCE_S", 0.5)
    scene.world.populate(users=7)
    filled = await scene.fill(only=("users",))
    tell_end(filled, scene.console)

    assert not filled.sound
    assert filled.left
    assert filled.left >= 7
    assert "Does clerkwork worker run" in scene.said.getvalue()
