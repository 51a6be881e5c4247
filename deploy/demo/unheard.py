"""What happens at Clerk and nobody tells us: before there are webhooks, and when some are lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Final

from deploy.demo.people import DAY_MS, HOUR_MS, describe, sign_up
from deploy.demo.predict import predict
from deploy.demo.upstream import find_users
from deploy.demo.webhook import Webhook, wrap
from deploy.samples import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.demo.people import Snapshot
    from deploy.demo.plan import Plan

BEFORE: Final = 25
"""So many users signed up before there were webhooks."""
LONG_AGO_MS: Final = 400 * DAY_MS
"""When they did."""


@dataclass(frozen=True, kw_only=True)
class Unheard:
    """The webhooks that Clerk would have sent, and that nobody gets."""

    before: tuple[Webhook, ...]
    """Of users who were there first, and of those whom others' webhooks name and no more."""
    lost: tuple[Webhook, ...]
    """A sign-up, a change and a deletion, after all that is heard."""


def make_unheard(plan: Plan, *, now_ms: int) -> Unheard:
    """Return what is not heard beside a plan; the same arguments give the same."""
    random = Random(f"{plan.seed}: unheard")  # noqa: S311 - invented people are no secrets
    before = (*_first(random, now_ms=now_ms), *_strangers(random, plan))
    return Unheard(before=before, lost=tuple(_lost(random, plan, now_ms=now_ms)))


def _first(random: Random, *, now_ms: int) -> Iterator[Webhook]:
    for _ in range(BEFORE):
        at_ms = now_ms - LONG_AGO_MS + random.randrange(30 * DAY_MS)
        yield _tell(random, "user.created", sign_up(random, at_ms=at_ms, admin=False))


def _strangers(random: Random, plan: Plan) -> Iterator[Webhook]:
    """Yield the sign-ups of those who are only named."""
    rows = predict(plan.webhooks)["users"]
    named = {each.user_id: each for each in plan.webhooks if each.user_id}
    for clerk_id in sorted(key for key, row in rows.items() if row["status"] == "pending"):
        user = sign_up(random, at_ms=named[clerk_id].told_at - HOUR_MS, admin=False)
        person = replace(user.person, id=clerk_id)
        yield _tell(random, "user.created", replace(user, person=person))


def _lost(random: Random, plan: Plan, *, now_ms: int) -> Iterator[Webhook]:
    """Yield somebody new; a new name of the reader, and the end of who only ever signed in."""
    yield _tell(random, "user.created", sign_up(random, at_ms=now_ms, admin=False))
    users = find_users(plan.webhooks)
    reader = users[plan.reader]
    yield _tell(
        random,
        "user.updated",
        replace(reader, last_name=f"{reader.last_name}-Hart", updated_at=now_ms, told_at=now_ms),
    )
    gone = next(each for each in reversed(plan.webhooks) if each.type == "session.pending")
    if gone.snapshot:
        person = gone.snapshot.person
        yield wrap(random, tell("user.deleted", person, at_ms=now_ms), user_id=person.id)


def _tell(random: Random, event_type: str, user: Snapshot) -> Webhook:
    return wrap(random, describe(event_type, user), user_id=user.person.id, snapshot=user)
