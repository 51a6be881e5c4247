"""Events: `/v1/events/{id}`, `/v1/users/{id}/history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.admit import GATE
from api.answers.events import ENTRY, EVENT, EventAnswer, HistoryPage
from api.answers.pages import page_of
from api.authorize import demand_own, demand_user, may_see_event
from api.database import POOL
from api.declare import (
    ADMISSION,
    APPLIED,
    CURSOR,
    IF_NONE_MATCH,
    LIMIT,
    PAGED,
    PREFER,
    QUERY,
    USER_ID,
    WAITING,
    answers,
    path_id,
)
from api.page import HISTORY, next_cursor, parse_page, read_query
from api.parse import EVENT_PATTERN, parse_event_id, parse_user_id
from api.present import present_entry, present_page, present_record
from api.read.events import list_events_of, read_event
from api.respond import make_view, respond
from api.wait import WAITS, event_goal, preference_applied, read_preference
from schema.http.endpoints import Endpoint
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from aiohttp import web

    from api.admit import Viewer
    from api.read.events import Event


async def show_event(request: web.Request) -> web.Response:
    """Answer with what became of an event, to whom it is about and to who sees all."""
    viewer = await request.app[GATE].admit(request)
    event_id = parse_event_id(request.match_info["id"])
    read_query(request.query.items(), {})
    wait_s = read_preference(request.headers.getall("Prefer", ()))
    event = await _read(request, viewer, event_id)
    if event is None and wait_s:
        goal = event_goal(event_id, viewer)
        await request.app[WAITS].until_reached(goal, within_s=wait_s, caller=viewer.caller)
        viewer = await request.app[GATE].admit(request)
        event = await _read(request, viewer, event_id)
    applied = preference_applied(wait_s)
    if event is None:
        raise HttpError(
            "EVENT_NOT_FOUND",
            "There is no such event, or not yet.",
            headers={"Retry-After": "1", **applied},
        )
    view = make_view(present_record(event, fully=viewer.sees_all))
    return respond(request, view, headers=applied)


async def show_history(request: web.Request) -> web.Response:
    """Answer with a page of a user's events, to themselves and to who sees all."""
    viewer = await request.app[GATE].admit(request)
    user_id = parse_user_id(request.match_info["id"])
    page = parse_page(request.query.items(), HISTORY)
    demand_own(user_id, viewer=viewer)
    status, found = await list_events_of(request.app[POOL], user_id, page)
    demand_user(status, user_id, viewer=viewer, stub=True)
    body = present_page(
        [present_entry(entry) for entry in found.rows],
        next_cursor=next_cursor(HISTORY, found, lambda entry: (entry.occurred_at, entry.event_id)),
    )
    return respond(request, make_view(body))


async def _read(request: web.Request, viewer: Viewer, event_id: str) -> Event | None:
    event = await read_event(request.app[POOL], event_id)
    if event and may_see_event(viewer, about=event.clerk_user_id):
        return event
    return None


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/events/{id}",
        handler=show_event,
        name="show_event",
        summary="What became of an event or a command",
        description="For whom it is about and for administrators. Until it is recorded the answer"
        " is 404; `Prefer: wait=N` waits for it, so that after a command one reads what one wrote.",
        parameters=(
            path_id(
                "The svix-id, or the id of a command.",
                pattern=EVENT_PATTERN,
                example=ENTRY["event_id"],
            ),
            PREFER,
            IF_NONE_MATCH,
        ),
        answers=answers("What became of it", EventAnswer, EVENT, headers=APPLIED),
        errors=(*ADMISSION, *QUERY, *WAITING, "INVALID_ID", "EVENT_NOT_FOUND"),
    ),
    Endpoint(
        method="GET",
        path="/v1/users/{id}/history",
        handler=show_history,
        name="list_history",
        summary="A user's events and commands, newest first",
        description="For the user and for administrators.",
        parameters=(USER_ID, LIMIT, CURSOR, IF_NONE_MATCH),
        answers=answers("A page of the history", HistoryPage, page_of(ENTRY)),
        errors=(*ADMISSION, *PAGED, "INVALID_ID", "FORBIDDEN", "USER_NOT_FOUND"),
    ),
)
