"""Step 5: Clerk's own test event arrives, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from deploy.connect.keys import PATIENCE_S
from deploy.connect.visit import StepError
from deploy.doctor.ages import tell_age
from schema.clerk.client import opened_clerk
from schema.clerk.errors import ClerkRefusedError, ClerkUnavailableError, NotAtClerkError
from schema.clerk.find import find_user
from schema.clerk.settings import ClerkSettings
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from deploy.arrivals import Arrival
    from deploy.connect.visit import Visit
    from deploy.connect.watch import Outcome, Watcher

RECENT_S: Final = 3600.0
"""A webhook that came no longer ago proves as much as a new one."""

WITHIN_S: Final = 10.0
"""How long workers may take."""

_NOTHING: Final = (
    "Nothing came. In the dashboard, the endpoint's Message Attempts say how Clerk fared:",
    "  no attempt: the example was not sent, or the endpoint is disabled",
    "  401: the endpoint's signing secret is not the one that ingest has",
    "  404 or 5xx: the endpoint's URL is not the one above, or the tunnel has ended",
    "  succeeded: it went to another clerkwork",
)
_FAULTS: Final = {
    "FOREIGN_INSTANCE": "It names another instance than ingest's CLERK_INSTANCE_ID. Take the key"
    " and the endpoint of one instance.",
    "UNREADABLE_EVENT": "Its signature is right, and it cannot be read. See clerkwork dlq list.",
}


async def await_test_event(visit: Visit, watcher: Watcher) -> None:
    """Return when a webhook of Clerk's has come, lately or now. Raises StepError."""
    latest = watcher.latest
    if latest and not latest.fault and latest.age_s < RECENT_S and not watcher.arrivals:
        age = tell_age(timedelta(seconds=latest.age_s))
        visit.done(f"Clerk's webhooks arrive: {latest.type} {latest.event_id}, {age} ago.")
        return
    visit.tell("In the dashboard: the endpoint, Testing, an event such as user.created,")
    visit.tell("Send Example.")
    while (arrival := await _wait(visit, watcher)) is None:
        for line in _NOTHING:
            visit.tell(line)
        if not visit.person.agrees("Wait once more?", instead="say --wait with more seconds"):
            raise StepError("Clerk's test event has not come. Run it again when it can.")
    await _tell(visit, watcher, arrival)


async def _wait(visit: Visit, watcher: Watcher) -> Arrival | None:
    wait_s = visit.wishes.wait_s
    with visit.console.status(f"Waiting for it, {wait_s:.0f} s at most …"):
        return await watcher.next_arrival(within_s=wait_s)


async def _tell(visit: Visit, watcher: Watcher, arrival: Arrival) -> None:
    visit.done(f"{arrival.type} has come, {arrival.event_id}; its signature is right.")
    if arrival.fault:
        told = _FAULTS.get(arrival.fault, "See clerkwork dlq list.")
        raise StepError(f"It was put into quarantine ({arrival.fault}). {told}")
    outcome = await watcher.wait_for_outcome(arrival.event_id, within_s=WITHIN_S)
    if outcome is None:
        visit.tell("It is in Kafka, and no worker has dealt with it yet: start clerkwork worker.")
        return
    visit.done(_describe(outcome))
    if arrival.user_id and outcome.outcome == "applied":
        await _tell_remains(visit, arrival.user_id)


def _describe(outcome: Outcome) -> str:
    told = {
        "applied": "A worker has applied it",
        "stale": "A worker has looked at it: something newer was there, so it changed nothing",
        "ignored": "A worker has recorded it: its type changes nothing here",
        "retrying": f"It did not go through, and waits to be tried again ({outcome.reason})",
        "dead": f"It could not be applied, and is a dead letter ({outcome.reason})",
    }.get(outcome.outcome, f"It ended as {outcome.outcome}")
    return f"{told}, {outcome.took_ms:.0f} ms after it came."


async def _tell_remains(visit: Visit, user_id: str) -> None:
    """Say what stays of an example: Clerk makes those up, and they name users it does not have."""
    try:
        async with opened_clerk(read_settings(ClerkSettings), patience_s=PATIENCE_S) as clerk:
            await find_user(clerk, user_id)
    except NotAtClerkError:
        visit.tell(f"Clerk has no user {user_id}: the example is made up, and its row stays here")
        visit.tell("until clerkwork reconcile --repair finds that out and deletes it.")
    except (ClerkRefusedError, ClerkUnavailableError):
        return
