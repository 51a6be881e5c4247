"""Every way to drift is found, and mended on the path of webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.reconcile.drift import ExitCode
from schema.postgres.ids import derive_id
from tests.integration.deploy.reconcile.conftest import USERS, found
from tests.rows import insert, insert_session

if TYPE_CHECKING:
    from tests.integration.deploy.reconcile.conftest import Scene


async def test_who_is_told_everything_has_not_drifted(scene: Scene) -> None:
    """And everything was compared; somebody's activity, which no webhook tells of, is no drift."""
    scene.world.touch(scene.users[0])
    report = await scene.reconcile()

    assert found(report) == {}
    assert report.exit_code == ExitCode.CLEAN
    assert report.checked == {"users": USERS, "organizations": 4, "memberships": 16, "sessions": 0}
    assert report.users_at_clerk == report.users_here == USERS


async def test_missed_users_are_found_and_mended(scene: Scene) -> None:
    """Missing, stale, deleted, or only named by another's event: each after a lost webhook."""
    world, users = scene.world, scene.users
    lost = world.create_user(email="lost@example.com").id
    named = world.create_user(email="named@example.com").id
    ghost = world.create_user().id
    stubs = [(named, "user"), (ghost, "user")]
    for user, role in stubs:
        row = {"id": derive_id(user), "clerk_id": user, "role": role}
        await insert(scene.database, "users", **row)
    world.delete_user(ghost)
    world.update_user(users[1], first_name="Grace")
    world.delete_user(users[2])
    report = await scene.reconcile(repair=True)
    again = await scene.reconcile()

    assert found(report) == {
        ("users", "missing"): tuple(sorted([lost, named])),
        ("users", "stale"): (users[1],),
        ("users", "deleted_upstream"): tuple(sorted([ghost, users[2]])),
    }
    assert report.left == 0
    assert report.exit_code == ExitCode.CLEAN
    assert found(again) == {}
    statement = "SELECT first_name FROM users WHERE clerk_id = $1"
    assert await scene.value(statement, users[1]) == "Grace"
    deleted = "SELECT count(*) FROM users WHERE status = 'deleted' AND clerk_id = ANY($1)"
    assert await scene.value(deleted, [ghost, users[2]]) == 2


async def test_a_report_changes_nothing(scene: Scene) -> None:
    """Unless mending is asked for; cron is told by the exit code."""
    lost = scene.world.create_user().id
    report = await scene.reconcile()

    assert found(report) == {("users", "missing"): (lost,)}
    assert report.exit_code == ExitCode.DRIFT
    assert (report.published, report.left) == (0, 1)
    assert await scene.value("SELECT count(*) FROM users WHERE clerk_id = $1", lost) == 0


async def test_missed_organizations_and_memberships_are_found_and_mended(scene: Scene) -> None:
    """What ends with its user or organization is not counted besides."""
    world = scene.world
    first, second, third, _ = scene.organizations
    world.delete_organization(third)
    world.update_organization(second, name="Southwind")
    lost = world.create_organization().id
    joined = world.add_member(first, scene.users[20]).id
    left, promoted = scene.members[0], scene.members[1]
    user = world.memberships[left]["public_user_data"]["user_id"]
    world.remove_member(left)
    again = world.add_member(first, user).id
    world.change_member(promoted, "org:admin")
    report = await scene.reconcile(repair=True)
    after = await scene.reconcile()

    assert found(report) == {
        ("organizations", "missing"): (lost,),
        ("organizations", "stale"): (second,),
        ("organizations", "deleted_upstream"): (third,),
        ("memberships", "missing"): tuple(sorted([joined, again])),
        ("memberships", "stale"): (promoted,),
        ("memberships", "gone"): (left,),
    }
    assert report.exit_code == ExitCode.CLEAN
    assert found(after) == {}
    roles = "SELECT role FROM organization_memberships WHERE clerk_id = $1"
    assert await scene.value(roles, promoted) == "org:admin"


async def test_orphaned_sessions_are_found_and_mended(scene: Scene) -> None:
    """Ended at Clerk, forgotten there, and of a user who is gone."""
    world, users = scene.world, scene.users
    told = [world.open_session(user) for user in users[:5]]
    await scene.hear(*told)
    live, ended, expired, purged, gone = (each.id for each in told)
    world.end_session(ended, "revoked")
    world.end_session(expired, "abandoned")
    world.purge_session(purged)
    world.delete_user(users[4])
    report = await scene.reconcile(repair=True)
    rows = await scene.database.fetch("SELECT clerk_id, status FROM sessions")

    assert found(report) == {
        ("users", "deleted_upstream"): (users[4],),
        ("sessions", "orphaned"): tuple(sorted([ended, expired, purged, gone])),
    }
    assert report.exit_code == ExitCode.CLEAN
    assert {row["clerk_id"]: row["status"] for row in rows} == {
        live: "active",
        ended: "revoked",
        expired: "abandoned",
        purged: "removed",
    }


async def test_sessions_are_looked_at_in_turn(scene: Scene) -> None:
    """A few in each run, the least recently active first, until the first comes again."""
    world = scene.world
    told = [world.open_session(user) for user in scene.users[:5]]
    await scene.hear(*told)
    for each in told:
        world.end_session(each.id)
    reports = [await scene.reconcile(sessions=2) for _ in range(4)]

    assert [sorted(found(report).get(("sessions", "orphaned"), ())) for report in reports] == [
        sorted(each.id for each in batch) for batch in (told[:2], told[2:4], told[4:], told[:2])
    ]


async def test_sessions_of_users_held_back_are_looked_at_always(scene: Scene) -> None:
    """A restoration would bring them back, open."""
    user = scene.users[0]
    await insert_session(scene.database, user)
    scene.world.delete_user(user)
    held = "UPDATE users SET status = 'deleted', deleted_at = now(), erase_at = 'infinity'"
    await scene.database.execute(f"{held} WHERE clerk_id = $1", user)
    report = await scene.reconcile(sessions=0, repair=True)

    assert [*found(report)] == [("sessions", "orphaned")]
    assert await scene.value("SELECT status FROM sessions") == "removed"


ALTERATIONS = (
    "UPDATE users SET first_name = 'Mallory' WHERE clerk_id = $1",
    "UPDATE users SET role = 'admin' WHERE clerk_id = $1",
    "UPDATE users SET email_verified = NOT email_verified WHERE clerk_id = $1",
    """UPDATE users SET public_metadata = '{"plan": "gold"}' WHERE clerk_id = $1""",
    "UPDATE users SET status = 'banned' WHERE clerk_id = $1",
    "UPDATE users SET created_at = created_at - interval '1 ms' WHERE clerk_id = $1",
)


async def test_what_somebody_has_changed_here_is_found(scene: Scene) -> None:
    """It is as new as what Clerk has, so that nothing Clerk sends would mend it."""
    altered = scene.users[: len(ALTERATIONS)]
    for user, alteration in zip(altered, ALTERATIONS, strict=True):
        await scene.database.execute(alteration, user)
    report = await scene.reconcile(repair=True)

    assert found(report) == {("users", "altered"): tuple(sorted(altered))}
    assert (report.left, report.published) == (len(altered), 0)
    assert report.exit_code == ExitCode.DRIFT


async def test_who_is_deleted_here_alone_is_found(scene: Scene) -> None:
    """A tombstone, and one held back, whom a restoration can give back."""
    buried, held, *_ = scene.users[20:]
    kill = "UPDATE users SET status = 'deleted', deleted_at = now() WHERE clerk_id = ANY($1)"
    await scene.database.execute(kill, [buried, held])
    hold = "UPDATE users SET erase_at = 'infinity' WHERE clerk_id = $1"
    await scene.database.execute(hold, held)
    report = await scene.reconcile(repair=True)

    assert found(report) == {("users", "deleted_here"): tuple(sorted([buried, held]))}
    assert (report.drifts[0].held, report.left, report.published) == (1, 2, 0)


async def test_who_was_restored_is_deleted_again_only_by_force(scene: Scene) -> None:
    """An operator knew why; the report says so in every run."""
    user = scene.users[3]
    scene.world.delete_user(user)
    await scene.database.execute(
        "UPDATE users SET restored_at = now() - interval '1 minute' WHERE clerk_id = $1", user
    )
    report = await scene.reconcile(repair=True)
    status = await scene.value("SELECT status FROM users WHERE clerk_id = $1", user)
    forced = await scene.reconcile(repair=True, force=True)

    assert found(report) == found(forced) == {("users", "restored"): (user,)}
    assert (report.exit_code, status) == (ExitCode.DRIFT, "active")
    assert forced.exit_code == ExitCode.CLEAN
    assert await scene.value("SELECT status FROM users WHERE clerk_id = $1", user) == "deleted"


async def test_canaries_and_what_cannot_be_kept_are_no_drift(scene: Scene) -> None:
    """Clerk knows no canary; a user who cannot be read is counted, and not deleted."""
    name = "user_clerkwork-canary-1-1"
    await insert(scene.database, "users", id=derive_id(name), clerk_id=name)
    scene.world.users[scene.users[5]]["email_addresses"] = 7
    report = await scene.reconcile(repair=True)

    assert found(report) == {}
    assert report.unreadable["users"] == 1
    assert report.exit_code == ExitCode.CLEAN
