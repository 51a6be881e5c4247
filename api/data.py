"""Data: `/v1/users/{id}/data`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.admit import GATE
from api.answers.users import DATA, DataAnswer
from api.authorize import demand_own, demand_user
from api.database import POOL
from api.declare import ADMISSION, IF_NONE_MATCH, QUERY, USER_ID, answers
from api.page import read_query
from api.parse import parse_user_id
from api.present import present_data
from api.read.data import read_data
from api.respond import make_view, respond
from schema.http.endpoints import Endpoint

if TYPE_CHECKING:
    from aiohttp import web


async def show_data(request: web.Request) -> web.Response:
    """Answer with all that is known of a user, to themselves and to who sees all."""
    viewer = await request.app[GATE].admit(request)
    user_id = parse_user_id(request.match_info["id"])
    read_query(request.query.items(), {})
    demand_own(user_id, viewer=viewer)
    status, values = await read_data(request.app[POOL], user_id)
    demand_user(status, user_id, viewer=viewer, stub=True)
    return respond(request, make_view(present_data(values)))


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/users/{id}/data",
        handler=show_data,
        name="show_data",
        summary="What is known of a user",
        description="Preferences and the like, and what is derived from Clerk's events: for"
        " the user and for administrators.",
        parameters=(USER_ID, IF_NONE_MATCH),
        answers=answers("Every key that has a value", DataAnswer, DATA),
        errors=(*ADMISSION, *QUERY, "INVALID_ID", "FORBIDDEN", "USER_NOT_FOUND"),
    ),
)
