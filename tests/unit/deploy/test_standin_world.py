"""The stand-in's world changes as Clerk does, and tells of it as Clerk does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from deploy.standin.world import BEGINNING_MS, INSTANCE_ID, World
from schema.kafka.clerk import read_envelope, read_subject
from tests.factories import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.standin.told import Told

NOT_ALWAYS = {
    *("requires_password_reset", "deprovisioned", "pending_invitations_count", "logo_url"),
    *("create_organizations_limit", "created_by", "members_count", "role_set_key"),
    "missing_member_with_elevated_permissions",
}
"""Fields that Clerk's webhooks have now and then."""


@pytest.fixture
def world() -> World:
    """Nobody yet."""
    return World()


def _live_through(world: World) -> Iterator[Told]:
    """Yield one webhook of each type that a world tells."""
    user = world.create_user(email="nadia@example.com", first_name="Nadia", external_id="crm-1")
    organization = world.create_organization()
    member = world.add_member(organization.id, user.id)
    session = world.open_session(user.id)
    yield from (user, organization, member, session)
    yield world.update_user(user.id, first_name="Nadja")
    yield world.update_organization(organization.id, name="Southwind")
    yield world.change_member(member.id, "org:admin")
    ended = [world.end_session(session.id, status) for status in ("ended", "removed", "revoked")]
    yield from (each for each in ended if each is not None)
    yield world.remove_member(member.id)
    yield world.delete_organization(organization.id)
    yield world.delete_user(user.id)


def _fields(event: bytes) -> set[str]:
    """Return which fields an event has, those of its organization and its user too."""
    told = json.loads(event)
    data = told["data"]
    parts = {"": told, "data.": data} | {
        f"{name}.": data[name]
        for name in ("organization", "public_user_data", "user", "latest_activity")
        if data.get(name)
    }
    names = {prefix + name for prefix, part in parts.items() for name in part}
    return {each for each in names if each.rpartition(".")[2] not in NOT_ALWAYS}


def test_what_is_told_looks_like_clerks_own_webhooks(world: World) -> None:
    """Field by field as in the recorded ones, and readable for the workers."""
    told_types = set()
    for told in _live_through(world):
        told_types.add(told.type)
        sample = (SAMPLES / f"{told.type}.json").read_bytes()
        ours, theirs = _fields(told.body), _fields(sample)
        assert ours - theirs <= {"organization.private_metadata"}
        assert theirs - ours <= ({"data.last_active_at"} if "organization." in told.type else set())
        assert read_subject(read_envelope(told.body)).id == told.id
        assert json.loads(told.body)["instance_id"] == INSTANCE_ID
    assert len(told_types) == 13


def test_the_clock_moves_with_every_change(world: World) -> None:
    """`updated_at` is a version; the webhook is written a little later, never earlier."""
    versions: dict[str, int] = {}
    last_ms = BEGINNING_MS
    for told in _live_through(world):
        data = json.loads(told.body)["data"]
        assert told.timestamp > last_ms
        last_ms = data.get("updated_at", last_ms)
        assert told.timestamp > last_ms
        if told.type.endswith("updated"):
            assert data["updated_at"] > versions[told.id]
        versions[told.id] = data.get("updated_at", 0)


def test_the_same_seed_tells_the_same(world: World) -> None:
    """Ids, times, everything: a failure can be repeated."""
    assert list(_live_through(world)) == list(_live_through(World()))
    assert next(_live_through(World(1))) != next(_live_through(World(2)))


def test_a_deleted_user_takes_memberships_and_sessions_along(world: World) -> None:
    """Clerk may tell of these too; nothing of the user is left."""
    user, organization = world.create_user().id, world.create_organization().id
    world.add_member(organization, user)
    world.open_session(user)

    told = world.delete_user(user)

    assert [each.type for each in told] == [
        "user.deleted",
        "organizationMembership.deleted",
        "session.removed",
    ]
    assert (world.users, world.memberships, world.sessions) == ({}, {}, {})
    assert world.organizations[organization]["members_count"] == 0
    assert json.loads(told.body)["data"] == {"deleted": True, "id": user, "object": "user"}


def test_a_deleted_organization_takes_its_memberships_along(world: World) -> None:
    """Its members stay, as do their memberships elsewhere."""
    user = world.create_user().id
    gone, stays = world.create_organization().id, world.create_organization().id
    world.add_member(gone, user)
    left = world.add_member(stays, user).id

    told = world.delete_organization(gone)

    assert [each.type for each in told.besides] == ["organizationMembership.deleted"]
    assert [each["id"] for each in world.memberships_of(user)] == [left]
    assert list(world.organizations) == [stays]


def test_a_removed_membership_has_not_moved(world: World) -> None:
    """Clerk shows all of it once more, at the version it had."""
    member = world.add_member(world.create_organization().id, world.create_user().id)

    removed = json.loads(world.remove_member(member.id).body)

    assert removed["data"]["updated_at"] == json.loads(member.body)["data"]["updated_at"]


def test_activity_is_no_change(world: World) -> None:
    """`last_active_at` moves, the version does not."""
    user = world.create_user().id
    before = dict(world.users[user])

    world.touch(user)

    after = world.users[user]
    assert after["last_active_at"] > before["last_active_at"]
    assert after["updated_at"] == before["updated_at"]


def test_signing_in_changes_the_user(world: World) -> None:
    """The session's webhook nests the user as changed."""
    user = world.create_user().id
    before = world.users[user]["updated_at"]

    nested = json.loads(world.open_session(user).body)["data"]["user"]

    assert nested["updated_at"] == world.users[user]["updated_at"] > before
    assert nested["last_sign_in_at"] is not None


def test_a_ban_ends_the_sessions(world: World) -> None:
    """There is no user.banned: it is an update."""
    user = world.create_user().id
    session = world.open_session(user).id

    assert [each.type for each in world.ban_user(user)] == ["user.updated", "session.revoked"]
    assert world.sessions[session]["status"] == "revoked"


@pytest.mark.parametrize("status", ["expired", "abandoned", "replaced"])
def test_some_ends_are_told_to_nobody(world: World, status: str) -> None:
    """Clerk has no type for them; and of what is purged nothing is said."""
    session = world.open_session(world.create_user().id).id

    assert world.end_session(session, status) is None
    assert world.sessions[session]["status"] == status
    world.purge_session(session)
    assert world.sessions == {}


def test_the_clock_can_follow_another(world: World) -> None:
    """It is never behind it, and goes on by itself where the other stands still."""
    world.follow(lambda: BEGINNING_MS + 1_000_000)

    first, second = world.create_user(), world.create_user()

    assert BEGINNING_MS + 1_000_000 < first.timestamp < second.timestamp + 20
    assert world.now_ms < BEGINNING_MS + 1_001_000


def test_a_crowd_is_as_odd_as_a_real_one(world: World) -> None:
    """Many lack a name or an address; all keep something that must never leave Clerk."""
    world.populate(users=500, organizations=2, members=3)

    users = list(world.users.values())
    assert len(users) == 500
    assert 20 < sum(each["first_name"] is None for each in users) < 250
    assert 20 < sum(not each["email_addresses"] for each in users) < 250
    assert all(each["private_metadata"] for each in users)
    assert 1500 < sum(len(json.dumps(each)) for each in users) / 500 < 2500
    assert len(world.memberships) == 6
