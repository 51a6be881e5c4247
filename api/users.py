"""Users: `/v1/me`, `/v1/users`, `/v1/users/{id}`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from api.admit import GATE
from api.answers.pages import page_of
from api.answers.users import PROFILE, USER, UserAnswer, UserPage
from api.authorize import demand_user, is_visible, user_not_found
from api.cache.answer import answer
from api.cache.reads import CACHE
from api.cache.views import view_profile
from api.database import POOL
from api.declare import (
    ADMISSION,
    APPLIED,
    CURSOR,
    IF_NONE_MATCH,
    KEPT,
    LIMIT,
    MIN_VERSION,
    PAGED,
    PREFER,
    QUERY,
    USER_ID,
    WAITING,
    answers,
)
from api.page import USERS, next_cursor, parse_page
from api.parse import parse_user_id
from api.present import present_page, present_user
from api.read.profiles import PROFILES
from api.read.users import list_users, read_user
from api.respond import make_view, respond
from api.wait import WAITS, VersionNotReachedError, has_reached, read_wish, version_goal
from schema.http.endpoints import Endpoint
from schema.postgres.contracts import User

if TYPE_CHECKING:
    from uuid import UUID

    from aiohttp import web

    from api.admit import Viewer
    from api.cache.reads import Loaded
    from api.read.profiles import Profiles
    from api.wait import Wish
    from schema.postgres.rows import UsersRow


async def show_me(request: web.Request) -> web.Response:
    """Answer with the caller's own user."""
    viewer = await request.app[GATE].admit(request)
    viewer.require_user()
    return await _show(request, viewer, viewer.user_id)


async def show_user(request: web.Request) -> web.Response:
    """Answer with the user in the path, as far as the caller may see them."""
    viewer = await request.app[GATE].admit_for_public(request)
    user_id = parse_user_id(request.match_info["id"])
    if viewer.owns(user_id) or viewer.sees_all or request.query_string:
        return await _show(request, viewer, user_id)
    load = partial(load_profile, request.app[PROFILES], user_id)
    return answer(request, await request.app[CACHE].read("show_user", user_id.hex, load))


async def show_users(request: web.Request) -> web.Response:
    """Answer with a page of users, newest first, as far as the caller may see them."""
    viewer = await request.app[GATE].admit(request)
    page = parse_page(request.query.items(), USERS)
    found = await list_users(request.app[POOL], page)
    body = present_page(
        [present_user(user, fully=viewer.sees_all or viewer.owns(user.id)) for user in found.rows],
        next_cursor=next_cursor(USERS, found, lambda user: (user.created_at, user.id)),
    )
    return respond(request, make_view(body))


async def load_profile(profiles: Profiles, user_id: UUID) -> Loaded:
    """Return what every signed-in user sees of a user. Raises HttpError 404."""
    user = await profiles.find(user_id)
    if user is None or not is_visible(user.status, sees_all=False):
        raise user_not_found(own=False)
    return view_profile(user)


async def _show(request: web.Request, viewer: Viewer, user_id: UUID) -> web.Response:
    wish = read_wish(request.query.items(), request.headers.getall("Prefer", ()))
    user = await read_user(request.app[POOL], user_id)
    if wish and not has_reached(user, wish.min_version):
        viewer, user = await _wait(request, viewer, user_id, wish)
    if user is None:
        raise user_not_found(own=viewer.owns(user_id))
    demand_user(user.status, user_id, viewer=viewer)
    view = make_view(present_user(user, fully=viewer.sees_all or viewer.owns(user_id)))
    return respond(request, view, headers=wish.headers if wish else {})


async def _wait(
    request: web.Request, viewer: Viewer, user_id: UUID, wish: Wish
) -> tuple[Viewer, UsersRow | None]:
    """Return the caller and the user once the user has reached the version."""
    goal = version_goal(user_id, wish.min_version)
    await request.app[WAITS].until_reached(goal, within_s=wish.wait_s, caller=viewer.caller)
    # Much can happen to the caller in the meantime, such as a ban.
    viewer = await request.app[GATE].admit(request)
    user = await read_user(request.app[POOL], user_id)
    if not has_reached(user, wish.min_version):
        raise VersionNotReachedError(wish)
    return viewer, user


_ONE: Final = (MIN_VERSION, PREFER, IF_NONE_MATCH)
_ONE_ERRORS: Final = (
    *ADMISSION,
    *QUERY,
    *WAITING,
    "INVALID_MIN_VERSION",
    "USER_NOT_FOUND",
    "VERSION_NOT_REACHED",
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/me",
        handler=show_me,
        name="show_me",
        summary="The caller's own user",
        description="404 with Retry-After while Clerk's webhook is still on its way.",
        parameters=_ONE,
        answers=answers("The user, in full", User, USER, headers=APPLIED),
        errors=(*_ONE_ERRORS, "USERS_ONLY"),
    ),
    Endpoint(
        method="GET",
        path="/v1/users",
        handler=show_users,
        name="list_users",
        summary="All users, newest first",
        description="Of others the public profile; administrators see all in full.",
        parameters=(LIMIT, CURSOR, IF_NONE_MATCH),
        answers=answers("A page of users", UserPage, page_of(PROFILE)),
        errors=(*ADMISSION, *PAGED),
    ),
    Endpoint(
        method="GET",
        path="/v1/users/{id}",
        handler=show_user,
        name="show_user",
        summary="A user",
        description="Of others the public profile; administrators see all in full, also"
        " tombstones of the deleted.",
        parameters=(USER_ID, *_ONE),
        answers=answers(
            "The user, as far as the caller sees them",
            UserAnswer,
            PROFILE,
            headers={**APPLIED, **KEPT},
        ),
        errors=(*_ONE_ERRORS, "INVALID_ID"),
    ),
)
