"""Clerk's truth, in memory, and its clock: change it and be told what Clerk would tell."""

from __future__ import annotations

import gc
from collections import defaultdict
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

from deploy.samples import invent_id
from deploy.standin.crowd import invent_user
from deploy.standin.shapes import (
    new_email,
    new_membership,
    new_organization,
    new_session,
    new_user,
    public_user_data,
    role_fields,
)
from deploy.standin.told import Told, write_told

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.standin.shapes import Thing

BEGINNING_MS: Final = 1_767_225_600_000
"""When a world begins unless told otherwise: 2026-01-01."""

INSTANCE_ID: Final = "ins_37ZqG4EnXOsHeVUiC964dWgaVbC"
"""The instance that every world is."""

_TOLD: Final = {"active": "created", "pending": "pending"} | {
    each: each for each in ("ended", "removed", "revoked")
}
"""Of the other statuses that a session can have, Clerk tells nothing."""


class World:
    """What one instance of Clerk's has. Nothing in it depends on the wall clock or on chance.

    Every change moves its clock by at least a millisecond. The dictionaries are the truth itself:
    by id, as Clerk's API would show it; change them through the methods only.
    """

    def __init__(self, seed: int = 0, now_ms: int = BEGINNING_MS) -> None:
        self.random = Random(seed)  # noqa: S311 - a world is to be repeatable
        self.users: dict[str, Thing] = {}
        self.organizations: dict[str, Thing] = {}
        self.memberships: dict[str, Thing] = {}
        self.sessions: dict[str, Thing] = {}
        self.version = 0
        """How many changes there were."""
        self._now_ms = now_ms
        self._wall: Callable[[], int] | None = None
        self._memberships_of: dict[str, set[str]] = defaultdict(set)
        self._sessions_of: dict[str, set[str]] = defaultdict(set)

    @property
    def now_ms(self) -> int:
        """What Clerk's clock says."""
        if self._wall is not None:
            self._now_ms = max(self._now_ms, self._wall())
        return self._now_ms

    def follow(self, wall: Callable[[], int]) -> None:
        """Never be behind that clock (ms) from now on."""
        self._wall = wall

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self._now_ms = self.now_ms + ms

    def create_user(self, *, email: str | None = None, **fields: Any) -> Told:
        """Add a user; `fields` are those of Clerk's User, `email` becomes the primary address."""
        at_ms = self._tick()
        self.advance(self.random.randint(10, 20))
        user_id = fields.pop("id", None) or invent_id("user", self.random)
        user = new_user(user_id, at_ms=at_ms, updated_ms=self.now_ms)
        if email is not None:
            self._set_email(user, email, at_ms)
        user |= fields
        self.users[user_id] = user
        return self._tell("user.created", user)

    def update_user(self, user_id: str, *, email: str | None = None, **fields: Any) -> Told:
        """Change fields of a user; `email` becomes the primary address."""
        user = self.users[user_id]
        at_ms = self._tick()
        if email is not None:
            self._set_email(user, email, at_ms)
        user |= {"updated_at": at_ms} | fields
        for each in self.memberships_of(user_id):
            each["public_user_data"] = public_user_data(user)
        return self._tell("user.updated", user)

    def ban_user(self, user_id: str) -> Told:
        """Lock a user out; the sessions are revoked."""
        told = self.update_user(user_id, banned=True)
        return replace(told, besides=self._end_sessions(user_id, "revoked"))

    def delete_user(self, user_id: str) -> Told:
        """Remove a user with all memberships and sessions, of which Clerk may tell or not."""
        memberships = tuple(self.remove_member(each["id"]) for each in self.memberships_of(user_id))
        sessions = self._end_sessions(user_id, "removed")
        for each in self.sessions_of(user_id):
            self.purge_session(each["id"])
        self._tick()
        user = self.users.pop(user_id)
        gone = {"deleted": True, "id": user_id, "object": "user"}
        if user["external_id"] is not None:
            gone["external_id"] = user["external_id"]
        return replace(self._tell("user.deleted", gone), besides=memberships + sessions)

    def touch(self, user_id: str) -> None:
        """Let a user do something: `last_active_at` moves, `updated_at` not, nobody is told."""
        user = self.users[user_id]
        user["last_active_at"] = max(self._tick(), user["last_active_at"] or 0)

    def create_organization(self, *, name: str = "Northwind", **fields: Any) -> Told:
        """Add an organization; `fields` are those of Clerk's Organization."""
        at_ms = self._tick()
        organization_id = fields.pop("id", None) or invent_id("org", self.random)
        organization = new_organization(organization_id, name=name, at_ms=at_ms)
        organization |= fields
        self.organizations[organization_id] = organization
        return self._tell("organization.created", organization)

    def update_organization(self, organization_id: str, **fields: Any) -> Told:
        """Change fields of an organization."""
        organization = self.organizations[organization_id]
        organization |= {"updated_at": self._tick()} | fields
        return self._tell("organization.updated", organization)

    def delete_organization(self, organization_id: str) -> Told:
        """Remove an organization with all memberships, of which Clerk may tell or not."""
        memberships = tuple(
            self.remove_member(each["id"]) for each in self.memberships_in(organization_id)
        )
        self._tick()
        organization = self.organizations.pop(organization_id)
        gone = {
            "deleted": True,
            "id": organization_id,
            "object": "organization",
            "slug": organization["slug"],
        }
        return replace(self._tell("organization.deleted", gone), besides=memberships)

    def add_member(self, org_id: str, user_id: str, role: str = "org:member") -> Told:
        """Make a user a member of an organization, once at a time."""
        organization = self.organizations[org_id]
        membership = new_membership(
            invent_id("orgmem", self.random),
            organization=organization,
            user=self.users[user_id],
            role=role,
            at_ms=self._tick(),
        )
        organization["members_count"] += 1
        self.memberships[membership["id"]] = membership
        for each in (user_id, org_id):
            self._memberships_of[each].add(membership["id"])
        return self._tell("organizationMembership.created", membership)

    def change_member(self, membership_id: str, role: str, **fields: Any) -> Told:
        """Give a member another role."""
        membership = self.memberships[membership_id]
        membership |= {"updated_at": self._tick()} | role_fields(role) | fields
        return self._tell("organizationMembership.updated", membership)

    def remove_member(self, membership_id: str) -> Told:
        """End a membership. The webhook has all of it, and its `updated_at` has not moved."""
        self._tick()
        membership = self.memberships.pop(membership_id)
        membership["organization"]["members_count"] -= 1
        user_id = membership["public_user_data"]["user_id"]
        for each in (user_id, membership["organization"]["id"]):
            self._memberships_of[each].discard(membership_id)
        return self._tell("organizationMembership.deleted", membership)

    def memberships_of(self, user_id: str) -> list[Thing]:
        """Return all memberships of a user."""
        return [self.memberships[each] for each in sorted(self._memberships_of.get(user_id, ()))]

    def memberships_in(self, organization_id: str) -> list[Thing]:
        """Return all memberships of an organization."""
        return self.memberships_of(organization_id)

    def open_session(self, user_id: str) -> Told:
        """Let a user sign in, which changes the user too."""
        at_ms = self._tick()
        self.users[user_id] |= {"last_sign_in_at": at_ms, "updated_at": self._tick()}
        session = new_session(
            invent_id("sess", self.random), user_id=user_id, at_ms=at_ms, random=self.random
        )
        session["updated_at"] = self._tick()
        self.sessions[session["id"]] = session
        self._sessions_of[user_id].add(session["id"])
        return self._tell_session("created", session)

    def end_session(self, session_id: str, status: str = "ended") -> Told | None:
        """End a session; of a status for which Clerk has no webhook nobody is told."""
        session = self.sessions[session_id]
        session |= {"status": status, "updated_at": self._tick(), "latest_activity": None}
        return self._tell_session(_TOLD[status], session) if status in _TOLD else None

    def purge_session(self, session_id: str) -> None:
        """Forget a session, as Clerk does with old ones; nobody is told."""
        self._tick()
        session = self.sessions.pop(session_id)
        self._sessions_of[session["user_id"]].discard(session_id)

    def sessions_of(self, user_id: str) -> list[Thing]:
        """Return all sessions of a user."""
        return [self.sessions[each] for each in sorted(self._sessions_of.get(user_id, ()))]

    def populate(self, users: int = 0, *, organizations: int = 0, members: int = 0) -> None:
        """Add that many at once, of whom nobody is told; each organization gets `members`."""
        collects = gc.isenabled()
        gc.disable()  # looking through all that is already there would double the time
        for _ in range(users):
            user = invent_user(self.random, at_ms=self._tick())
            self._now_ms = max(self._now_ms, user["updated_at"])
            self.users[user["id"]] = user
        if collects:
            gc.enable()
        ids = list(self.users)
        for _ in range(organizations):
            organization = self.create_organization().id
            for user_id in self.random.sample(ids, min(members, len(ids))):
                self.add_member(organization, user_id)

    def _end_sessions(self, user_id: str, status: str) -> tuple[Told, ...]:
        live = [each for each in self.sessions_of(user_id) if each["status"] == "active"]
        told = [self.end_session(each["id"], status) for each in live]
        return tuple(each for each in told if each is not None)

    def _set_email(self, user: Thing, address: str, at_ms: int) -> None:
        email = new_email(address, at_ms=at_ms, random=self.random)
        user["email_addresses"] = [email]
        user["primary_email_address_id"] = email["id"]

    def _tick(self) -> int:
        self.version += 1
        self.advance(self.random.randint(1, 5))
        return self._now_ms

    def _tell_session(self, verb: str, session: Thing) -> Told:
        data = {name: value for name, value in session.items() if name != "tasks"}
        user = self.users[session["user_id"]]
        return self._tell(f"session.{verb}", data | {"user": user})

    def _tell(self, type_: str, data: Thing) -> Told:
        return write_told(
            type_,
            data,
            event_id=invent_id("msg", self.random),
            timestamp=self.now_ms + self.random.randint(1, 17),
            instance_id=INSTANCE_ID,
        )
