"""Events: found, not found, and one with a whole life behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from deploy.desk.models.events import EventFilter, EventPage, EventRow, EventsPage, Step
from tests.browser.samples.letters import letter
from tests.browser.samples.made_up import EVENT, OPERATOR, PLACE, USER, ago, facts, options
from tests.browser.samples.operations import operation

_OUTCOMES: Final = ("applied", "stale", "applied", "retrying", "dead", "ignored", "waiting")


def _event(number: int) -> EventRow:
    outcome = _OUTCOMES[number % len(_OUTCOMES)]
    return EventRow(
        event_id=f"{EVENT[:-2]}{number:02}",
        type=("user.updated", "session.created", "organizationMembership.created")[number % 3],
        user=USER if number % 4 else "",
        received_at=ago(seconds=7 + 31 * number),
        applied_at=None if outcome == "waiting" else ago(seconds=6 + 31 * number),
        seconds=None if outcome == "waiting" else 0.037 * (number + 1),
        outcome=outcome,
        reason="users.email: is longer than 320" if outcome in {"dead", "retrying"} else "",
        place=f"clerk.user-events/{number % 12}/{182_044 - number}",
        canary=number == 5,
        url=f"/events/{EVENT[:-2]}{number:02}",
        user_url=f"/events?user={USER}" if number % 4 else "",
    )


_NO_FILTER: Final = EventFilter(
    q="",
    user="",
    type="",
    outcomes=options("any", *dict.fromkeys(_OUTCOMES), chosen="any"),
    since="",
    until="",
    canaries=False,
)
EVENTS: Final = EventsPage(
    filter=_NO_FILTER,
    filtered=False,
    rows=tuple(map(_event, range(14))),
    looked_at=50,
    back_to=ago(minutes=31),
    older_url="/events?cursor=1",
    newest_url="",
    problem="",
)
NO_EVENTS: Final = replace(EVENTS, rows=(), older_url="", looked_at=0, back_to=None)
NONE_LIKE_THAT: Final = replace(
    NO_EVENTS,
    filter=replace(_NO_FILTER, user=USER, since="2 weeks"),
    filtered=True,
    looked_at=5000,
    back_to=ago(days=2),
    older_url="/events?cursor=2",
    newest_url="/events",
    problem="2 weeks is no time. Say it as 2026-01-31, 2026-01-31T12:00 or, counted from now, 90m.",
)


_STEPS: Final = (
    Step(
        name="received",
        title="Received by ingest",
        at=ago(minutes=9),
        state="good",
        after_s=None,
        facts=facts(answered="202"),
    ),
    Step(
        name="stored",
        title="Stored in Kafka",
        at=ago(minutes=9),
        state="good",
        after_s=0.004,
        facts=facts(place="clerk.user-events/7/182044"),
    ),
    Step(
        name="worked",
        title="Retrying",
        at=ago(minutes=8.9),
        state="waiting",
        after_s=6,
        facts=facts(reason="bug KeyError"),
    ),
    Step(
        name="died",
        title="Set aside as a dead letter",
        at=ago(minutes=8),
        state="bad",
        after_s=60,
        facts=facts(because="poison.data 22001 users.email: is longer than 320", attempts="4"),
        url=f"/letters/{PLACE}",
    ),
    Step(
        name="replayed",
        title="Replayed, edited",
        at=ago(minutes=2),
        state="neutral",
        after_s=420,
        facts=facts(by=OPERATOR),
        url="/operations/3",
    ),
    Step(
        name="worked",
        title="Applied",
        at=ago(minutes=2),
        state="good",
        after_s=420.04,
        facts=(),
    ),
    Step(
        name="told",
        title="Told to others",
        at=ago(minutes=2),
        state="good",
        after_s=420.1,
        facts=facts(topic="user.changes", version="7"),
    ),
)
EVENT_PAGE: Final = EventPage(
    event_id=EVENT,
    known=True,
    words="",
    type="user.updated",
    user=USER,
    user_url=f"/events?user={USER}",
    outcome="applied",
    reason="",
    steps=_STEPS,
    letters=(letter(4),),
    operations=(operation(3),),
)
UNKNOWN_EVENT: Final = EventPage(
    event_id="msg_unknown",
    known=False,
    words="It was never received, or no worker has come to it yet.",
    type="",
    user="",
    user_url="",
    outcome="",
    reason="",
    steps=(),
    letters=(),
    operations=(),
)
