"""Commands about posts: `POST /v1/posts`, `PATCH` and `DELETE /v1/posts/{id}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.commands.bodies import NEW_POST, POST_FIELDS, NewPost, PostFields
from ingest.commands.check import check_body
from ingest.commands.take import (
    BODY_ERRORS,
    DOOR,
    ERRORS,
    EXAMPLE_EVENT,
    EXAMPLE_USER,
    IDEMPOTENCY_KEY,
    accepted,
)
from ingest.read import read_body
from schema.http.endpoints import Endpoint, Parameter
from schema.http.errors import HttpError
from schema.kafka.commands import (
    CHANGE_POST,
    CREATE_POST,
    DELETE_POST,
    PostChange,
    PostCreation,
    PostDeletion,
)
from schema.postgres.ids import derive_post_id, is_author, parse_uuid

if TYPE_CHECKING:
    from uuid import UUID

    from aiohttp import web

    from ingest.commands.take import Asker

MAX_POST_BYTES: Final = 256 * 1024
"""The longest text in UTF-8, at 4 bytes a character, and the rest."""


async def create_post(request: web.Request) -> web.Response:
    """Take a new post of the caller's."""
    return await request.app[DOOR].take(request, CREATE_POST, _read_creation)


async def change_post(request: web.Request) -> web.Response:
    """Take changes of a post of the caller's, field by field."""
    return await request.app[DOOR].take(request, CHANGE_POST, _read_change)


async def delete_post(request: web.Request) -> web.Response:
    """Take the end of a post of the caller's."""
    return await request.app[DOOR].take(request, DELETE_POST, _read_deletion)


async def _read_creation(request: web.Request, asker: Asker) -> PostCreation:
    post = check_body(await read_body(request, most_bytes=MAX_POST_BYTES), NEW_POST)
    return PostCreation(
        id=derive_post_id(asker.clerk_id, asker.command_id),
        user_id=asker.clerk_id,
        title=post.title,
        body=post.body,
        status=post.status,
    )


async def _read_change(request: web.Request, asker: Asker) -> PostChange:
    post_id = parse_own_id(request.match_info["id"], clerk_id=asker.clerk_id)
    fields = check_body(await read_body(request, most_bytes=MAX_POST_BYTES), POST_FIELDS)
    given = fields.model_dump(exclude_unset=True)
    return PostChange(id=post_id, user_id=asker.clerk_id, **given)


async def _read_deletion(request: web.Request, asker: Asker) -> PostDeletion:
    post_id = parse_own_id(request.match_info["id"], clerk_id=asker.clerk_id)
    return PostDeletion(id=post_id, user_id=asker.clerk_id)


def parse_own_id(text: str, *, clerk_id: str) -> UUID:
    """Return the id of a post that this user may have made; whether there is one, it cannot say.

    Raises HttpError 400 where it is no UUID, and 403 where only others can have made the post.
    """
    post_id = parse_uuid(text)
    if post_id is None:
        raise HttpError("INVALID_ID", "The id of a post is a UUID.", details={"field": "id"})
    if not is_author(post_id, clerk_id):
        raise HttpError("NOT_THE_AUTHOR", "Only its author can change or delete a post.")
    return post_id


_EXAMPLE_ID: Final = str(derive_post_id(EXAMPLE_USER, EXAMPLE_EVENT))
_POST_ID: Final = Parameter(
    name="id",
    place="path",
    description="the post's, as the 202 of its creation gave it",
    schema={"type": "string", "format": "uuid"},
    example=_EXAMPLE_ID,
    required=True,
)

ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/v1/posts",
        handler=create_post,
        name="create_post",
        summary="Write a post",
        description="`id` is the new post's, at once: its author can change it before it is there.",
        parameters=(IDEMPOTENCY_KEY,),
        body=NewPost,
        answers=accepted(_EXAMPLE_ID),
        errors=(*ERRORS, *BODY_ERRORS),
    ),
    Endpoint(
        method="PATCH",
        path="/v1/posts/{id}",
        handler=change_post,
        name="change_post",
        summary="Change fields of a post",
        description="Of two changes of one field the later counts, in whichever order they arrive.",
        parameters=(_POST_ID, IDEMPOTENCY_KEY),
        body=PostFields,
        answers=accepted(_EXAMPLE_ID),
        errors=("INVALID_ID", "NOT_THE_AUTHOR", *ERRORS, *BODY_ERRORS),
    ),
    Endpoint(
        method="DELETE",
        path="/v1/posts/{id}",
        handler=delete_post,
        name="delete_post",
        summary="Delete a post for good",
        parameters=(_POST_ID, IDEMPOTENCY_KEY),
        answers=accepted(_EXAMPLE_ID),
        errors=("INVALID_ID", "NOT_THE_AUTHOR", *ERRORS),
    ),
)
