"""Plan the demonstration: every webhook that is sent, and what has to become of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Final

from deploy.demo.organizations import organize
from deploy.demo.people import DAY_MS, HOUR_MS, describe, live, sign_up
from deploy.demo.sessions import sign_in, wait
from deploy.demo.webhook import Fate, Webhook, wrap
from deploy.samples import CODE, invent_id, invent_person, tell, write_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.demo.people import Snapshot

SPAN_MS: Final = 20 * DAY_MS
"""The users have signed up within so long before now."""

CODES_IN: Final = ("email.created", "sms.created")
"""The types that carry a one-time code."""


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
    signed_up = [webhook.snapshot for webhook in webhooks if webhook.type == "user.created"]
    people = [snapshot for snapshot in signed_up if snapshot]
    webhooks += organize(random, people, now_ms=now_ms, number=max(1, users // 20))
    victim = people[1]
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
    return [webhook for webhook in webhooks if webhook.fate in (Fate.PROJECTED, Fate.IGNORED)]


def _live(random: Random, *, now_ms: int, role: str) -> Iterator[Webhook]:
    """Yield what Clerk tells of one user, in the order in which it happens."""
    begin_ms = now_ms - random.randint(DAY_MS, SPAN_MS)
    # The reader stays as signed up: whoever is banned cannot read.
    changes = 0 if role == "reader" else random.randint(0, 3)
    life = live(random, begin_ms=begin_ms, admin=role == "admin", changes=changes)
    for event_type, user in life:
        yield wrap(random, describe(event_type, user), user_id=user.person.id, snapshot=user)
    _, user = life[-1]
    yield from sign_in(random, [user for _, user in life])
    if random.random() < 0.3:
        yield _code(random, user)
    if role == "deleted" or (not role and random.random() < 0.1):
        event = tell("user.deleted", user.person, at_ms=user.told_at + HOUR_MS)
        yield wrap(random, event, user_id=user.person.id)


def _code(random: Random, user: Snapshot) -> Webhook:
    """Return the message that brings the user a code, found nowhere else in its event."""
    name = "email.created" if user.email else "sms.created"
    at_ms = user.created_at - 9_000
    known = write_event(tell(name, user.person, at_ms=at_ms, words={CODE: ""}))
    while (code := f"{random.randrange(10**6):06}").encode() in known:
        pass
    event = tell(name, user.person, at_ms=at_ms, words={CODE: code})
    return replace(wrap(random, event, fate=Fate.IGNORED, user_id=user.person.id), code=code)


def _strays(random: Random, *, now_ms: int, victim: Snapshot) -> Iterator[Webhook]:
    """Yield what does not happen every day, and what must not pass."""
    stranger = invent_person(random)
    for name in (
        *("role.created", "permission.created", "waitlistEntry.created"),
        *("subscription.created", "subscription.created.org_payer"),
        "organizationInvitation.created",
    ):
        event = tell(name, stranger, at_ms=now_ms - DAY_MS)
        yield wrap(random, event, fate=Fate.IGNORED)
    yield wrap(random, tell("organization.deleted", stranger, at_ms=now_ms - DAY_MS))
    yield wait(random, sign_up(random, at_ms=now_ms - DAY_MS, admin=False))
    yield _forged(random, victim, at_ms=now_ms)
    yield _poison(random, victim)
    yield Webhook(
        event_id=invent_id("msg", random),
        type="unreadable",
        body=b'{"data":{"id":"user_',
        fate=Fate.QUARANTINED,
        told_at=now_ms,
    )


def _forged(random: Random, known: Snapshot, *, at_ms: int) -> Webhook:
    """Return what would make somebody an administrator if anybody believed it."""
    promoted = replace(known, public_metadata={"role": "admin"}, updated_at=at_ms, told_at=at_ms)
    event = describe("user.updated", promoted)
    return wrap(random, event, fate=Fate.REFUSED, user_id=known.person.id)


def _poison(random: Random, known: Snapshot) -> Webhook:
    """Return an update that nobody can place in time."""
    event = describe("user.updated", known)
    event["data"]["updated_at"] = "yesterday"
    return wrap(random, event, fate=Fate.DEAD, user_id=known.person.id)
