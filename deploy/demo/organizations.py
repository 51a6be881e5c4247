"""Invented organizations, who belongs to them, and the invitations that were accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.demo.people import DAY_MS, HOUR_MS
from deploy.demo.webhook import wrap
from deploy.samples import invent_id, invent_person, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from deploy.demo.people import Snapshot
    from deploy.demo.webhook import Webhook
    from deploy.samples import Person


def organize(
    random: Random, users: Sequence[Snapshot], *, now_ms: int, number: int
) -> Iterator[Webhook]:
    """Yield all that is told of so many organizations; every third is deleted in the end."""
    for each in range(number):
        words = {
            "Northwind Robotics": f"Northwind {each}",
            "northwind-robotics": f"northwind-{each}",
        }
        ids = {"org": invent_id("org", random)}
        yield from _organization(random, users, now_ms=now_ms, words=words, ids=ids)
        if each % 3 == 2:
            ended = tell("organization.deleted", users[0].person, at_ms=now_ms, ids=ids)
            yield wrap(random, ended)


def _organization(
    random: Random,
    users: Sequence[Snapshot],
    *,
    now_ms: int,
    words: Mapping[str, str],
    ids: Mapping[str, str],
) -> Iterator[Webhook]:
    owner, guest = random.sample(users, 2)
    at_ms = now_ms - random.randint(3 * DAY_MS, 20 * DAY_MS)
    yield from _member(random, owner.person, at_ms=at_ms, words=words, ids=ids)
    for name in ("organization.created", "organization.updated"):
        at_ms += random.randint(1, HOUR_MS)  # in real traffic it comes after its first member
        yield wrap(random, tell(name, owner.person, at_ms=at_ms, words=words, ids=ids))
    # The guest was invited before there was a user, so that is how they came to sign up.
    joined_ms = guest.created_at + 300
    for person, then_ms in (
        (guest.person, joined_ms),
        (invent_person(random), at_ms + HOUR_MS),  # of whom nothing else is ever told
    ):
        event = tell("organizationInvitation.accepted", person, at_ms=then_ms, words=words, ids=ids)
        yield wrap(random, event, user_id=person.id)
        yield from _member(random, person, at_ms=then_ms + 2, words=words, ids=ids)


def _member(
    random: Random,
    person: Person,
    *,
    at_ms: int,
    words: Mapping[str, str],
    ids: Mapping[str, str],
) -> Iterator[Webhook]:
    """Yield how somebody becomes a member, at times another kind of member, at times none."""
    ids = {**ids, "orgmem": invent_id("orgmem", random)}
    names = ["organizationMembership.created"]
    names += ["organizationMembership.updated"] * random.choice((0, 0, 1, 2))
    names += ["organizationMembership.deleted"] * random.choice((0, 0, 1))
    for name in names:
        event: dict[str, Any] = tell(name, person, at_ms=at_ms, words=words, ids=ids)
        yield wrap(random, event, user_id=person.id)
        at_ms += random.randint(1, HOUR_MS)
