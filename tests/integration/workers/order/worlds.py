"""A small world to make histories in: few people, few things, few moments, so that all collide."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schema.postgres.ids import derive_post_id

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Data = dict[str, Any]

BEGINNING_MS: Final = 1_767_225_600_000
_FOLDER: Final = Path(__file__).parents[4] / "schema/kafka/samples"
SAMPLES: Final[dict[str, Data]] = {
    path.stem: json.loads(path.read_bytes()) for path in sorted(_FOLDER.glob("*.json"))
}
MOMENTS: Final = (0, 1, 2, 1000, 60_000, 86_400_000)
ADDRESSES: Final = ("ana@example.com", "Ana@example.com", "bo@example.org")
STRATEGIES: Final = ("email_code", "ticket", "admin", "from_oauth_google")


@dataclass(frozen=True)
class Session:
    """Whose it is never changes."""

    id: str
    user: str


@dataclass(frozen=True)
class Bond:
    """A membership or an invitation: who and where never changes."""

    id: str
    user: str
    organization: str


@dataclass(frozen=True)
class Post:
    """Its id tells whose it is."""

    id: str
    user: str


@dataclass(frozen=True, kw_only=True)
class World:
    """Whom and what a history is about; its ids are of one `tag`, and so nobody else's."""

    tag: str
    moments: Sequence[int]
    users: Sequence[str]
    organizations: Sequence[str]
    sessions: Sequence[Session]
    memberships: Sequence[Bond]
    invitations: Sequence[Bond]
    posts: Sequence[Post]


def make_world(chance: random.Random, tag: str) -> World:
    """Return a world of 2-4 users, 1-3 organizations and 2-5 moments."""
    users = [f"user_{tag}_{n}" for n in range(chance.randint(2, 4))]
    organizations = [f"org_{tag}_{n}" for n in range(chance.randint(1, 3))]

    def bonds(kind: str, most: int) -> list[Bond]:
        return [
            Bond(f"{kind}_{tag}_{n}", chance.choice(users), chance.choice(organizations))
            for n in range(chance.randint(1, most))
        ]

    return World(
        tag=tag,
        moments=[BEGINNING_MS + at for at in chance.sample(MOMENTS, chance.randint(2, 5))],
        users=users,
        organizations=organizations,
        sessions=[
            Session(f"sess_{tag}_{n}", chance.choice(users)) for n in range(chance.randint(1, 4))
        ],
        memberships=bonds("orgmem", 3),
        invitations=bonds("orginv", 2),
        posts=[
            Post(str(derive_post_id(user, f"cmd_{tag}_{n}")), user)
            for n, user in enumerate([*users, users[0]][:3])
        ],
    )


class Scribe:
    """Writes the `data` of events in a world: the recorded ones, with fields replaced."""

    def __init__(self, chance: random.Random, world: World) -> None:
        self.chance, self.world = chance, world

    def often(self, odds: float) -> bool:
        """Return whether luck has it, `odds` of the time."""
        return self.chance.random() < odds

    def time(self) -> int:
        """Return one of the few moments, in ms, or at times in seconds where they are whole."""
        at = self.chance.choice(self.world.moments)
        return at // 1000 if at % 1000 == 0 and self.often(0.2) else at

    def maybe(self, data: Data, *names: str) -> None:
        """Give each of these times a value, null, or nothing at all."""
        for name in names:
            data[name] = self.time() if self.often(0.7) else None
            if self.often(0.1):
                del data[name]

    def user(self, user: str) -> Data:
        """Return `data` of a user as one of few versions has it."""
        chance = self.chance
        data = copy.deepcopy(SAMPLES["user.created"]["data"])
        emails = [self.address("email_address", n) for n in range(chance.randint(0, 3))]
        data |= {
            "id": user,
            "updated_at": self.time(),
            "first_name": chance.choice(["Ana", "Bo", None]),
            "last_name": chance.choice(["Lund", "Lund", None]),
            "username": chance.choice(["ana", None]),
            "image_url": chance.choice(["https://img.clerk.com/a", None]),
            "external_id": chance.choice(["crm-1", None]),
            "email_addresses": emails,
            "phone_numbers": [self.address("phone_number", 9)] if self.often(0.3) else [],
            "primary_email_address_id": chance.choice(["idn_0", "idn_1", "idn_2", None]),
            "public_metadata": chance.choice(
                [{}, {"role": "admin"}, {"role": "owner"}, {"a": {"b": [1, 2.5, None]}}]
            ),
        }
        data |= {name: self.often(0.15) for name in ("banned", "locked", "deprovisioned")}
        self.maybe(data, "created_at", "last_sign_in_at", "last_active_at")
        return data

    def address(self, kind: str, number: int) -> Data:
        """Return an e-mail address or a phone number, of which users share a few."""
        address: Data = {
            "id": f"idn_{number}",
            "object": kind,
            kind: self.chance.choice(ADDRESSES),
            "verification": {
                "object": "verification_otp",
                "status": self.chance.choice(["verified", "unverified", None]),
                "strategy": self.chance.choice(STRATEGIES),
            },
        }
        if self.often(0.1):
            address["verification"] = None
        self.maybe(address, "created_at")
        return address

    def session(self, kind: str, session: Session) -> Data:
        """Return `data` of a session.*, most often with the user nested."""
        chance = self.chance
        data = copy.deepcopy(SAMPLES[kind]["data"])
        data |= {"id": session.id, "user_id": session.user, "updated_at": self.time()}
        data["user"] = self.user(session.user) if self.often(0.6) else None
        if self.often(0.2):
            del data["user"]
        if self.often(0.4):
            statuses = ["pending", "active", "expired", "abandoned", "replaced", "ended", "new"]
            data["status"] = chance.choice(statuses)
        data["actor"] = chance.choice([None, None, None, {"sub": "user_support"}, {}])
        data["latest_activity"] = self.activity()
        self.maybe(data, "last_active_at", "expire_at", "abandon_at", "created_at")
        return data

    def activity(self) -> Data | None:
        """Return where a session was active, with gaps, or null."""
        if self.often(0.4):
            return None
        activity = {
            "browser_name": self.chance.choice(["Chrome", "Firefox", "", None]),
            "device_type": self.chance.choice(["Macintosh", "iPhone", "", None]),
            "ip_address": self.chance.choice(["203.0.113.24", "2001:db8::1", "", None]),
        }
        for name in [name for name in activity if self.often(0.1)]:
            del activity[name]
        return activity

    def organization(self, organization: str) -> Data:
        """Return `data` of an organization, its own or nested."""
        data = copy.deepcopy(SAMPLES["organization.created"]["data"])
        data |= {
            "id": organization,
            "name": self.chance.choice(["North", "South"]),
            "slug": self.chance.choice(["north", None]),
            "image_url": self.chance.choice(["https://img.clerk.com/o", None]),
            "public_metadata": self.chance.choice([{}, {"tier": "team"}]),
            "updated_at": self.time(),
        }
        self.maybe(data, "created_at")
        return data

    def membership(self, membership: Bond) -> Data:
        """Return `data` of a membership with its organization nested."""
        data = copy.deepcopy(SAMPLES["organizationMembership.created"]["data"])
        data |= {
            "id": membership.id,
            "role": self.chance.choice(["org:member", "org:admin"]),
            "organization": self.organization(membership.organization),
            "public_metadata": self.chance.choice([{}, {"desk": "B12"}]),
            "updated_at": self.time(),
        }
        data["public_user_data"]["user_id"] = membership.user
        for name in [name for name in ("permissions", "public_metadata") if self.often(0.15)]:
            del data[name]
        self.maybe(data, "created_at")
        return data

    def invitation(self, invitation: Bond) -> Data:
        """Return `data` of an accepted invitation, at times of somebody without an account."""
        data = copy.deepcopy(SAMPLES["organizationInvitation.accepted"]["data"])
        data |= {
            "id": invitation.id,
            "organization_id": invitation.organization,
            "role": self.chance.choice(["org:member", "org:admin"]),
            "user_id": invitation.user,
            "created_at": self.time(),
            "updated_at": self.time(),
        }
        if self.often(0.2):
            data["user_id"] = self.chance.choice(["", None])
        return data
