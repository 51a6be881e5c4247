"""Posts: `/v1/posts`, `/v1/posts/{id}`, `/v1/users/{id}/posts`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from api.admit import GATE
from api.answers.pages import page_of
from api.answers.posts import POST, PostAnswer, PostPage
from api.authorize import demand_user, may_see_post
from api.cache.answer import answer
from api.cache.reads import CACHE
from api.cache.views import make_posts_view, view_post, view_posts
from api.database import POOL
from api.declare import (
    ADMISSION,
    CURSOR,
    IF_NONE_MATCH,
    KEPT,
    LIMIT,
    PAGED,
    QUERY,
    USER_ID,
    answers,
    path_id,
)
from api.page import POSTS, POSTS_OF_USER, parse_page, read_query
from api.parse import parse_post_id, parse_user_id
from api.present import present_post
from api.read.posts import list_posts, list_posts_of, read_post
from api.respond import make_view, respond
from schema.http.endpoints import Endpoint
from schema.http.errors import HttpError
from schema.postgres.ids import UUID_PATTERN, is_author

if TYPE_CHECKING:
    from uuid import UUID

    from aiohttp import web

    from api.cache.reads import Loaded
    from api.database import Pool
    from api.page import Page
    from api.respond import View


async def show_posts(request: web.Request) -> web.Response:
    """Answer with a page of everybody's posts, newest first; drafts for who sees all."""
    viewer = await request.app[GATE].admit_for_public(request)
    page = parse_page(request.query.items(), POSTS)
    load = partial(load_posts, request.app[POOL], page, drafts=viewer.sees_all)
    if viewer.sees_all or page.after is not None:
        return respond(request, (await load()).view)
    return answer(request, await request.app[CACHE].read("list_posts", str(page.limit), load))


async def show_posts_of(request: web.Request) -> web.Response:
    """Answer with a page of a user's posts, newest first; with drafts for who may see them."""
    viewer = await request.app[GATE].admit(request)
    user_id = parse_user_id(request.match_info["id"])
    page = parse_page(request.query.items(), POSTS_OF_USER)
    drafts = viewer.sees_all or viewer.owns(user_id)
    status, view = await load_posts_of(request.app[POOL], user_id, page, drafts=drafts)
    demand_user(status, user_id, viewer=viewer, stub=True)
    return respond(request, view)


async def show_post(request: web.Request) -> web.Response:
    """Answer with a post; a draft is there for its author and for who sees all."""
    viewer = await request.app[GATE].admit_for_public(request)
    post_id = parse_post_id(request.match_info["id"])
    read_query(request.query.items(), {})
    if viewer.sees_all or is_author(post_id, viewer.caller.clerk_id):
        post = await read_post(request.app[POOL], post_id)
        if post is None or not may_see_post(viewer, post):
            raise _not_found()
        return respond(request, make_view(present_post(post)))
    load = partial(load_post, request.app[POOL], post_id)
    return answer(request, await request.app[CACHE].read("show_post", post_id.hex, load))


async def load_post(pool: Pool, post_id: UUID) -> Loaded:
    """Return a published post as every signed-in user sees it. Raises HttpError 404."""
    post = await read_post(pool, post_id)
    if post is None or post.status != "published":
        raise _not_found()
    return view_post(post)


async def load_posts(pool: Pool, page: Page[UUID], *, drafts: bool = False) -> Loaded:
    """Return a page of everybody's posts; without `drafts` as every signed-in user sees it."""
    found = await list_posts(pool, page, drafts=drafts)
    return view_posts(found)


def _not_found() -> HttpError:
    return HttpError("POST_NOT_FOUND", "There is no such post.")


async def load_posts_of(
    pool: Pool, user_id: UUID, page: Page[UUID], *, drafts: bool = False
) -> tuple[str | None, View]:
    """Return a user's status, None where there is no user, and a page of their posts."""
    status, found = await list_posts_of(pool, user_id, page, drafts=drafts)
    return status, make_posts_view(found, POSTS_OF_USER)


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/posts",
        handler=show_posts,
        name="list_posts",
        summary="All published posts, newest first",
        description="Administrators see drafts too.",
        parameters=(LIMIT, CURSOR, IF_NONE_MATCH),
        answers=answers("A page of posts", PostPage, page_of(POST), headers=KEPT),
        errors=(*ADMISSION, *PAGED),
    ),
    Endpoint(
        method="GET",
        path="/v1/posts/{id}",
        handler=show_post,
        name="show_post",
        summary="A post",
        description="A draft is there for its author and for administrators only.",
        parameters=(
            path_id("The post.", pattern=UUID_PATTERN, example=POST["id"]),
            IF_NONE_MATCH,
        ),
        answers=answers("The post", PostAnswer, POST, headers=KEPT),
        errors=(*ADMISSION, *QUERY, "INVALID_ID", "POST_NOT_FOUND"),
    ),
    Endpoint(
        method="GET",
        path="/v1/users/{id}/posts",
        handler=show_posts_of,
        name="list_posts_of_user",
        summary="A user's posts, newest first",
        description="Their drafts too for themselves and for administrators.",
        parameters=(USER_ID, LIMIT, CURSOR, IF_NONE_MATCH),
        answers=answers("A page of posts", PostPage, page_of(POST)),
        errors=(*ADMISSION, *PAGED, "INVALID_ID", "USER_NOT_FOUND"),
    ),
)
