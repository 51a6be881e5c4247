"""The page of one event: its whole trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.desk.database import DATABASE
from deploy.desk.find.events import find_told
from deploy.desk.find.operations import find_of_event
from deploy.desk.models.events import EventPage
from deploy.desk.present import present_letter, present_operation, user_url
from deploy.desk.present_events import present_steps
from deploy.desk.show import show
from deploy.letters.tell import one_line
from deploy.trace import trace
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from aiohttp import web

    from deploy.trace import Trace

MOST: Final = 200
"""No id of an event is longer."""

_UNKNOWN: Final = (
    "The ledger does not know it: it was never received, or no worker has come to it yet. See how"
    " far behind they are on the pipeline's page, and whether Clerk's dashboard has an attempt."
)


async def show_event(request: web.Request) -> web.Response:
    """Show all that is known of an event."""
    event_id = request.match_info["event_id"]
    if len(event_id) > MOST or "\0" in event_id:
        raise HttpError("NOT_FOUND", "No event has such an id.")
    told: Sequence[Any] = ()
    async with request.app[DATABASE].reading() as connection:
        found = await trace(connection, event_id)
        operations = await find_of_event(connection, event_id)
        applied = [row for row in found.ledger if row["outcome"] == "applied"]
        if applied and applied[-1]["clerk_user_id"]:
            last = applied[-1]
            told = await find_told(connection, last["clerk_user_id"], applied_at=last["applied_at"])
    head = _head(found)
    page = EventPage(
        event_id=one_line(event_id),
        known=bool(found.ledger or found.letters),
        words="" if found.ledger else _UNKNOWN,
        type=one_line(head.get("type")),
        user=one_line(head.get("clerk_user_id")),
        user_url=user_url(head.get("clerk_user_id")),
        outcome=head.get("outcome", "dead" if found.letters else ""),
        reason=one_line(head.get("reason")),
        steps=tuple(present_steps(found, told=told)),
        letters=tuple(map(present_letter, found.letters)),
        operations=tuple(map(present_operation, operations)),
    )
    return show(request, "event.html", page, section="events")


def _head(found: Trace) -> Mapping[str, Any]:
    """Return what is known last: of the ledger, else of the letters."""
    if found.ledger:
        return found.ledger[-1]
    return found.letters[-1] if found.letters else {}
