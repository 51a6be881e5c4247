"""Sessions: `/v1/users/{id}/sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.admit import GATE
from api.answers.pages import page_of
from api.answers.users import SESSION, SessionPage
from api.authorize import demand_own, demand_user
from api.database import POOL
from api.declare import ADMISSION, CURSOR, IF_NONE_MATCH, LIMIT, PAGED, USER_ID, answers
from api.page import SESSIONS, next_cursor, parse_page
from api.parse import parse_user_id
from api.present import present_page, present_session
from api.read.sessions import list_sessions
from api.respond import make_view, respond
from schema.http.endpoints import Endpoint

if TYPE_CHECKING:
    from aiohttp import web


async def show_sessions(request: web.Request) -> web.Response:
    """Answer with a page of a user's sessions, to themselves and to who sees all."""
    viewer = await request.app[GATE].admit(request)
    user_id = parse_user_id(request.match_info["id"])
    page = parse_page(request.query.items(), SESSIONS)
    demand_own(user_id, viewer=viewer)
    status, found = await list_sessions(request.app[POOL], user_id, page)
    demand_user(status, user_id, viewer=viewer, stub=True)
    body = present_page(
        [present_session(session) for session in found.rows],
        next_cursor=next_cursor(SESSIONS, found, lambda session: (session.created_at, session.id)),
    )
    return respond(request, make_view(body))


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/users/{id}/sessions",
        handler=show_sessions,
        name="list_sessions",
        summary="A user's sessions, newest first",
        description="For the user and for administrators.",
        parameters=(USER_ID, LIMIT, CURSOR, IF_NONE_MATCH),
        answers=answers("A page of sessions", SessionPage, page_of(SESSION)),
        errors=(*ADMISSION, *PAGED, "INVALID_ID", "FORBIDDEN", "USER_NOT_FOUND"),
    ),
)
