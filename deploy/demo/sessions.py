"""Invented sign-ins; nested in each of their events is the user, as they then were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from deploy.demo.people import DAY_MS, HOUR_MS, describe
from deploy.demo.webhook import wrap
from deploy.samples import invent_id, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from deploy.demo.people import Snapshot
    from deploy.demo.webhook import Webhook

_ENDS: Final = ("session.ended", "session.removed", "session.revoked")
_ACTIVITIES: Final[tuple[Mapping[str, object] | None, ...]] = (
    None,
    {"browser_name": "Firefox", "device_type": "Linux", "ip_address": "198.51.100.7"},
    {"browser_name": "", "device_type": "iPhone", "ip_address": "2001:db8::7"},
    {"browser_name": "Safari", "device_type": None, "ip_address": ""},
    {"browser_name": None, "device_type": None, "ip_address": None},
)


def sign_in(random: Random, life: Sequence[Snapshot]) -> Iterator[Webhook]:
    """Yield the sessions of a user: one at once, at times another after all that has happened."""
    yield from _session(random, life, begin_ms=life[0].created_at + 200)
    if random.random() < 0.2:
        yield from _session(random, life, begin_ms=life[-1].told_at + random.randint(50, HOUR_MS))


def wait(random: Random, user: Snapshot) -> Webhook:
    """Return a session with tasks left: all that is ever told of `user`."""
    begin_ms = user.created_at + 90
    return _tell(random, "session.pending", _signed_in(user, begin_ms), _begin(random, begin_ms))


def _session(random: Random, life: Sequence[Snapshot], *, begin_ms: int) -> Iterator[Webhook]:
    """Yield the beginning of a session, and at times its end."""
    session = _begin(random, begin_ms)
    if random.random() < 0.1:
        session["actor"] = {"sub": invent_id("user", random)}
    if random.random() < 0.3:
        session["latest_activity"] = random.choice(_ACTIVITIES)
    user = _signed_in(_then(life, begin_ms), begin_ms)
    yield _tell(random, "session.created", user, session)
    if random.random() < 0.4:
        end_ms = begin_ms + random.randint(1_000, 2 * HOUR_MS)
        session |= {
            "updated_at": end_ms,
            "last_active_at": end_ms - random.randint(1, 900),
            "latest_activity": random.choice(_ACTIVITIES),
        }
        user = replace(_then(life, end_ms), told_at=end_ms + 8)
        yield _tell(random, random.choice(_ENDS), user, session)


def _begin(random: Random, at_ms: int) -> dict[str, Any]:
    return {
        "id": invent_id("sess", random),
        "created_at": at_ms,
        "updated_at": at_ms + 38,
        "last_active_at": at_ms,
        "expire_at": at_ms + 7 * DAY_MS,
        "abandon_at": at_ms + 30 * DAY_MS,
    }


def _then(life: Sequence[Snapshot], at_ms: int) -> Snapshot:
    """Return the user as Clerk has them at a moment."""
    return [user for user in life if user.told_at <= at_ms][-1]


def _signed_in(user: Snapshot, at_ms: int) -> Snapshot:
    """Return the user just signed in, which makes a newer version of them."""
    return replace(
        user,
        last_sign_in_at=at_ms,
        last_active_at=at_ms,
        updated_at=at_ms + 11,
        told_at=at_ms + 44,
    )


def _tell(
    random: Random, event_type: str, user: Snapshot, session: Mapping[str, object]
) -> Webhook:
    """Return the webhook that tells of the session, when it tells of the user nested in it."""
    event = tell(event_type, user.person, at_ms=user.told_at)
    event["data"] |= {**session, "user": describe("user.updated", user)["data"]}
    return wrap(random, event, user_id=user.person.id, snapshot=user)
