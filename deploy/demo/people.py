"""Invented users and what happens to them, as Clerk would see it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from deploy.samples import Person, invent_person, tell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A user at one moment; times in milliseconds."""

    person: Person
    last_name: str
    username: str | None = None
    email: str | None
    """The primary address; None for a user with only a phone."""
    email_verified: bool
    email_since: int
    """When the primary address came."""
    email_strategy: str = "email_code"
    """How it was verified."""
    image_url: str
    external_id: str | None = None
    public_metadata: Mapping[str, object] = field(default_factory=dict)
    banned: bool = False
    locked: bool = False
    deprovisioned: bool = False
    created_at: int
    updated_at: int
    last_sign_in_at: int | None = None
    last_active_at: int | None = None
    told_at: int
    """When Clerk sends it: milliseconds after the change."""

    @property
    def signup_source(self) -> str:
        """How the user signed up, as far as this snapshot still tells."""
        if not (self.email and self.email_verified and self.email_since <= self.created_at):
            return "clerk"
        return {"ticket": "invite", "admin": "admin"}.get(self.email_strategy, "clerk")


def sign_up(random: Random, *, at_ms: int, admin: bool) -> Snapshot:
    """Return a new user."""
    person = invent_person(random)
    has_email = admin or random.random() < 0.9
    return Snapshot(
        person=person,
        last_name=person.last_name,
        email=person.email if has_email else None,
        email_verified=has_email and random.random() < 0.9,
        email_since=at_ms - random.choice((0, 8_700)),
        email_strategy=random.choice(("email_code", "email_code", "ticket", "admin")),
        image_url=f"https://img.clerk.com/{person.id[5:]}",
        public_metadata={"role": "admin"} if admin else {},
        created_at=at_ms,
        updated_at=at_ms + 15,
        last_active_at=at_ms - 1,
        told_at=at_ms + 15 + random.randint(1, 17),
    )


def change(random: Random, user: Snapshot, *, at_ms: int) -> Snapshot:
    """Return the user after one more thing has happened to them."""
    told_at = at_ms + random.randint(1, 17)
    kind = random.randrange(6)
    if kind == 0:  # active, which Clerk tells with the same updated_at
        return replace(user, last_active_at=at_ms, told_at=told_at)
    changes: tuple[dict[str, Any], ...] = (
        {"last_sign_in_at": at_ms - 20, "last_active_at": at_ms - 20},
        {"last_name": f"{user.last_name}-Hart", "username": user.person.username},
        {
            "email": f"new.{user.person.email}",
            "email_verified": True,
            "email_since": at_ms,
            "email_strategy": "email_code",
        },
        {
            "public_metadata": {**user.public_metadata, "plan": "pro", "seats": kind, "beta": True},
            "external_id": f"crm-{random.randrange(10**5)}",
        },
        random.choice(({"banned": True}, {"locked": True}, {"deprovisioned": True}))
        if "role" not in user.public_metadata and random.random() < 0.3
        else {"image_url": f"{user.image_url}?v={at_ms}"},
    )
    return replace(user, **changes[kind - 1], updated_at=at_ms, told_at=told_at)


def live(random: Random, *, begin_ms: int, admin: bool, changes: int) -> list[tuple[str, Snapshot]]:
    """Return the event types of a user's life, each with the user as it then was."""
    user = sign_up(random, at_ms=begin_ms, admin=admin)
    life = [("user.created", user)]
    at_ms = begin_ms
    for _ in range(changes):
        at_ms += random.randint(1_000, 2 * HOUR_MS)
        user = change(random, user, at_ms=at_ms)
        life.append(("user.updated", user))
    return life


def describe(event_type: str, user: Snapshot) -> dict[str, Any]:
    """Return Clerk's event that tells what `user` is like."""
    name = event_type if user.email else "user.created.phone"
    event = {**tell(name, user.person, at_ms=user.told_at), "type": event_type}
    data: dict[str, Any] = event["data"]
    data |= {
        "last_name": user.last_name,
        "first_name": user.person.first_name,
        "username": user.username,
        "image_url": user.image_url,
        "external_id": user.external_id,
        "public_metadata": dict(user.public_metadata),
        "banned": user.banned,
        "locked": user.locked,
        "deprovisioned": user.deprovisioned,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_sign_in_at": user.last_sign_in_at,
        "last_active_at": user.last_active_at,
    }
    _set_email(data, user)
    return event


def _set_email(data: dict[str, Any], user: Snapshot) -> None:
    """Make the user's address the primary one; others, where the sample has them, stay."""
    for address in data["email_addresses"]:
        if address["id"] == data["primary_email_address_id"]:
            address |= {"email_address": user.email, "created_at": user.email_since}
            address["verification"]["strategy"] = user.email_strategy
            if not user.email_verified:
                address.update(verification=None, reserved=True)
    data["email_addresses"].reverse()  # the primary one need not be the first
