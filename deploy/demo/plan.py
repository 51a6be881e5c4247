"""Plan the demonstration: every webhook that is sent, and what has to become of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any, Final

from deploy.demo.people import DAY_MS, HOUR_MS, Snapshot, describe, live
from deploy.samples import CODE, Person, invent_id, invent_person, tell, write_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SPAN_MS: Final = 20 * DAY_MS
"""The users have signed up within so long before now."""

CODES_IN: Final = ("email.created", "sms.created")
"""The types that carry a one-time code."""


class Fate(Enum):
    """What has to become of a webhook."""

    USER = "applied or stale"
    OTHER = "ignored"
    DEAD = "dead"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One event, rightly signed unless its fate is to be refused."""

    event_id: str
    type: str
    body: bytes
    fate: Fate
    told_at: int
    """The event's own time in milliseconds."""
    user_id: str | None = None
    snapshot: Snapshot | None = None
    """What the user is like from then on; None where the event does not say."""
    code: str | None = None
    """The one-time code inside."""

    @property
    def deletes(self) -> bool:
        """Whether it ends a user."""
        return self.type == "user.deleted"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All of the demonstration, decided before it begins."""

    seed: int
    webhooks: tuple[Webhook, ...]
    """Each event once."""
    deliveries: tuple[Webhook, ...]
    """What is sent, in this order: some of them twice."""
    admin: str
    """A living user who is an administrator."""
    reader: str
    """A living user who is not."""


def make_plan(*, users: int, seed: int, now_ms: int) -> Plan:
    """Return the plan; the same arguments give the same one. Takes three users or more."""
    random = Random(seed)  # noqa: S311 - invented people are no secrets
    lives = [
        list(_live(random, now_ms=now_ms, role=role)) for role in ("admin", "reader", "deleted")
    ]
    lives += [list(_live(random, now_ms=now_ms, role="")) for _ in range(users - len(lives))]
    admin, reader = (str(life[0].user_id) for life in lives[:2])
    webhooks = [webhook for life in lives for webhook in life]
    webhooks += _organizations(random, now_ms=now_ms, number=max(1, users // 20))
    victim = next(webhook.snapshot for webhook in lives[1] if webhook.snapshot)
    webhooks += _strays(random, now_ms=now_ms, victim=victim)
    deliveries = webhooks + random.sample(_repeatable(webhooks), len(webhooks) // 8)
    random.shuffle(deliveries)
    return Plan(
        seed=seed,
        webhooks=tuple(webhooks),
        deliveries=tuple(deliveries),
        admin=admin,
        reader=reader,
    )


def _repeatable(webhooks: Sequence[Webhook]) -> list[Webhook]:
    return [webhook for webhook in webhooks if webhook.fate in (Fate.USER, Fate.OTHER)]


def _live(random: Random, *, now_ms: int, role: str) -> Iterator[Webhook]:
    """Yield what Clerk tells of one user, in the order in which it happens."""
    begin_ms = now_ms - random.randint(DAY_MS, SPAN_MS)
    # The reader stays as signed up: whoever is banned cannot read.
    changes = 0 if role == "reader" else random.randint(0, 3)
    life = live(random, begin_ms=begin_ms, admin=role == "admin", changes=changes)
    for event_type, user in life:
        yield _webhook(random, event_type, user)
    _, user = life[-1]
    yield from _session(random, user)
    if random.random() < 0.3:
        yield _code(random, user)
    if role == "deleted" or (not role and random.random() < 0.1):
        yield _deletion(random, user)


def _webhook(random: Random, event_type: str, user: Snapshot) -> Webhook:
    return Webhook(
        event_id=invent_id("msg", random),
        type=event_type,
        body=write_event(describe(event_type, user)),
        fate=Fate.USER,
        told_at=user.told_at,
        user_id=user.person.id,
        snapshot=user,
    )


def _deletion(random: Random, user: Snapshot) -> Webhook:
    event = tell("user.deleted", user.person, at_ms=user.told_at + HOUR_MS)
    return _wrap(random, event, user.person, fate=Fate.USER)


def _session(random: Random, user: Snapshot) -> Iterator[Webhook]:
    """Yield a session, and at times its end; nested in both is the user, as signed up."""
    begun = tell("session.created", user.person, at_ms=user.created_at + 200)
    yield _wrap(random, begun, user.person, fate=Fate.OTHER)
    if random.random() < 0.4:
        name = random.choice(("session.ended", "session.removed", "session.revoked"))
        ended = tell(name, user.person, at_ms=user.created_at + HOUR_MS)
        yield _wrap(random, ended, user.person, fate=Fate.OTHER)


def _wrap(random: Random, event: Mapping[str, Any], person: Person, *, fate: Fate) -> Webhook:
    return Webhook(
        event_id=invent_id("msg", random),
        type=event["type"],
        body=write_event(event),
        fate=fate,
        told_at=event["timestamp"],
        user_id=person.id,
    )


def _code(random: Random, user: Snapshot) -> Webhook:
    """Return the message that brings the user a code, found nowhere else in its event."""
    name = "email.created" if user.email else "sms.created"
    at_ms = user.created_at - 9_000
    known = write_event(tell(name, user.person, at_ms=at_ms, words={CODE: ""}))
    while (code := f"{random.randrange(10**6):06}").encode() in known:
        pass
    event = tell(name, user.person, at_ms=at_ms, words={CODE: code})
    return replace(_wrap(random, event, user.person, fate=Fate.OTHER), code=code)


def _organizations(random: Random, *, now_ms: int, number: int) -> Iterator[Webhook]:
    for each in range(1, number + 1):
        ids = {"org": invent_id("org", random)}
        words = {
            "Northwind Robotics": f"Northwind {each}",
            "northwind-robotics": f"northwind-{each}",
        }
        at_ms = now_ms - random.randint(DAY_MS, SPAN_MS)
        for name in (
            "organizationMembership.created",  # in real traffic it comes before its organization
            "organization.created",
            "organization.updated",
            "organizationMembership.updated",
            "organizationInvitation.accepted",
        ):
            at_ms += random.randint(1, HOUR_MS)
            member = invent_person(random)
            event = tell(name, member, at_ms=at_ms, ids=ids, words=words)
            yield _wrap(random, event, member, fate=Fate.OTHER)


def _strays(random: Random, *, now_ms: int, victim: Snapshot) -> Iterator[Webhook]:
    """Yield what does not happen every day, and what must not pass."""
    stranger = invent_person(random)
    for name in (
        *("role.created", "permission.created", "waitlistEntry.created", "organization.deleted"),
        *("subscription.created", "subscription.created.org_payer", "session.pending"),
    ):
        event = tell(name, stranger, at_ms=now_ms - DAY_MS)
        yield _wrap(random, event, stranger, fate=Fate.OTHER)
    yield _forged(random, victim)
    yield _poison(random, victim)
    yield Webhook(
        event_id=invent_id("msg", random),
        type="unreadable",
        body=b'{"data":{"id":"user_',
        fate=Fate.QUARANTINED,
        told_at=now_ms,
    )


def _forged(random: Random, known: Snapshot) -> Webhook:
    """Return what would make somebody an administrator if anybody believed it."""
    promoted = replace(
        known,
        public_metadata={"role": "admin"},
        updated_at=known.updated_at + HOUR_MS,
        told_at=known.told_at + HOUR_MS,
    )
    event = describe("user.updated", promoted)
    return _wrap(random, event, known.person, fate=Fate.REFUSED)


def _poison(random: Random, known: Snapshot) -> Webhook:
    """Return an update that nobody can place in time."""
    event = describe("user.updated", known)
    event["data"]["updated_at"] = "yesterday"
    return _wrap(random, event, known.person, fate=Fate.DEAD)
