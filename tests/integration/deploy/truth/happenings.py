"""What may happen at Clerk: one change of its world at a time, and what it tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from deploy.standin.told import Told
    from deploy.standin.world import World

    Deed = Callable[[World, random.Random], Iterable[Told] | None]

NAMES: Final = ("Ana", "Bo", None)
METADATA: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"role": "admin"},
    {"role": "owner", "seats": [1, 2.5, None]},
)
ENDS: Final = ("ended", "removed", "revoked", "expired", "abandoned", "replaced")


def happen(world: World, chance: random.Random) -> list[Told]:
    """Change something, and return the webhooks of it: none where Clerk tells of none."""
    deeds = list(_DEEDS)
    [deed] = chance.choices(deeds, weights=[_DEEDS[each] for each in deeds])
    return list(deed(world, chance) or ())


def _sign_up(world: World, chance: random.Random) -> Iterable[Told]:
    email = chance.choice(["ana@example.com", "bo@example.org", None])
    return world.create_user(email=email, first_name=chance.choice(NAMES))


def _change(world: World, chance: random.Random) -> Iterable[Told] | None:
    user = _any(chance, world.users)
    return user and world.update_user(
        user,
        email=chance.choice(["new@example.com", None]),
        first_name=chance.choice(NAMES),
        username=chance.choice(["ana", None]),
        external_id=chance.choice(["crm-1", None]),
        public_metadata=chance.choice(METADATA),
        locked=chance.random() < 0.2,
    )


def _ban(world: World, chance: random.Random) -> Iterable[Told] | None:
    user = _any(chance, world.users)
    return user and world.ban_user(user)


def _leave(world: World, chance: random.Random) -> Iterable[Told] | None:
    user = _any(chance, world.users)
    return user and world.delete_user(user)


def _touch(world: World, chance: random.Random) -> None:
    user = _any(chance, world.users)
    if user:
        world.touch(user)


def _found(world: World, chance: random.Random) -> Iterable[Told]:
    return world.create_organization(name=chance.choice(["North", "South"]))


def _rename(world: World, chance: random.Random) -> Iterable[Told] | None:
    organization = _any(chance, world.organizations)
    return organization and world.update_organization(
        organization, name=chance.choice(["East", "West"]), public_metadata=chance.choice(METADATA)
    )


def _dissolve(world: World, chance: random.Random) -> Iterable[Told] | None:
    organization = _any(chance, world.organizations)
    return organization and world.delete_organization(organization)


def _join(world: World, chance: random.Random) -> Iterable[Told] | None:
    user, organization = _any(chance, world.users), _any(chance, world.organizations)
    if not (user and organization):
        return None
    if any(each["organization"]["id"] == organization for each in world.memberships_of(user)):
        return None
    return world.add_member(organization, user, chance.choice(["org:member", "org:admin"]))


def _promote(world: World, chance: random.Random) -> Iterable[Told] | None:
    membership = _any(chance, world.memberships)
    role = chance.choice(["org:member", "org:admin", "org:guest"])
    return membership and world.change_member(membership, role)


def _part(world: World, chance: random.Random) -> Iterable[Told] | None:
    membership = _any(chance, world.memberships)
    return membership and world.remove_member(membership)


def _rejoin(world: World, chance: random.Random) -> Iterable[Told] | None:
    """Leave an organization and join it again: a membership with another id."""
    membership = _any(chance, world.memberships)
    if not membership:
        return None
    data = world.memberships[membership]
    user, organization = data["public_user_data"]["user_id"], data["organization"]["id"]
    return [*world.remove_member(membership), *world.add_member(organization, user)]


def _sign_in(world: World, chance: random.Random) -> Iterable[Told] | None:
    user = _any(chance, world.users)
    return user and world.open_session(user)


def _sign_out(world: World, chance: random.Random) -> Iterable[Told] | None:
    live = [key for key, each in world.sessions.items() if each["status"] == "active"]
    return world.end_session(chance.choice(live), chance.choice(ENDS)) if live else None


def _purge(world: World, chance: random.Random) -> None:
    over = [key for key, each in world.sessions.items() if each["status"] != "active"]
    if over:
        world.purge_session(chance.choice(over))


def _any(chance: random.Random, things: dict[str, Any]) -> Any:
    return chance.choice(list(things)) if things else None


_DEEDS: Final[dict[Deed, int]] = {
    _sign_up: 22,
    _change: 20,
    _ban: 3,
    _leave: 8,
    _touch: 5,
    _found: 8,
    _rename: 5,
    _dissolve: 3,
    _join: 14,
    _promote: 5,
    _part: 4,
    _rejoin: 3,
    _sign_in: 12,
    _sign_out: 6,
    _purge: 3,
}
"""What may happen -> how often."""
