"""Users: `/v1/me`, `/v1/users`, `/v1/users/{id}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, RootModel

from api.authorize import admit, is_admin, is_visible
from api.database import POOL
from api.page import CURSOR, LIMIT, Cursor, encode_cursor, parse_page
from api.present import encode, present_page, present_user, tag
from api.read import list_users, read_user
from api.wait import MAX_VERSION, WAITS, VersionNotReachedError, has_reached, read_wish
from schema.http.endpoints import Answer, Endpoint, Parameter
from schema.http.errors import HttpError
from schema.http.tokens.callers import AUTHENTICATOR
from schema.http.tokens.claims import CLERK_USER_ID
from schema.postgres.contracts import PublicProfile, User
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.read import Standing
    from schema.http.tokens.claims import Caller
    from schema.postgres.rows import UsersRow

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ETAG_ANY: Final = "*"


def parse_user_id(text: str) -> UUID:
    """Return the key that `text`, our id or Clerk's, stands for. Raises HttpError 400."""
    if _UUID.fullmatch(text):
        return UUID(text)
    if CLERK_USER_ID.fullmatch(text):
        return derive_id(text)
    raise HttpError(
        "INVALID_ID",
        "The id of a user is a UUID or Clerk's `user_…`.",
        details={"field": "id"},
    )


async def show_me(request: web.Request) -> web.Response:
    """Answer with the caller's own user."""
    caller = await request.app[AUTHENTICATOR].authenticate(request)
    return await _show(request, caller, caller.user_id)


async def show_user(request: web.Request) -> web.Response:
    """Answer with the user in the path, as far as the caller may see them."""
    caller = await request.app[AUTHENTICATOR].authenticate(request)
    return await _show(request, caller, parse_user_id(request.match_info["id"]))


async def show_users(request: web.Request) -> web.Response:
    """Answer with a page of users, newest first, as far as the caller may see them."""
    caller = await request.app[AUTHENTICATOR].authenticate(request)
    page = parse_page(request.query.items())
    standing, users, more = await list_users(request.app[POOL], caller_id=caller.user_id, page=page)
    admit(standing)
    next_cursor = None
    if more and (last := users[-1]).created_at:
        next_cursor = encode_cursor(Cursor(created_at=last.created_at, user_id=last.id))
    body = present_page(
        [
            present_user(user, fully=is_admin(standing) or user.id == caller.user_id)
            for user in users
        ],
        next_cursor=next_cursor,
    )
    return _json(encode(body))


_USER_ID: Final = Parameter(
    name="id",
    place="path",
    description="our id or Clerk's",
    schema={"type": "string"},
    example="user_2abcDEF",
    required=True,
)

_MIN_VERSION: Final = Parameter(
    name="min_version",
    place="query",
    description="answer when the user is that new: `version` of a 202 or a record",
    schema={"type": "integer", "minimum": 0, "maximum": MAX_VERSION},
    example=0,
)
_PREFER: Final = Parameter(
    name="Prefer",
    place="header",
    description="`wait=` and how many seconds `min_version` may take, at most 10",
    schema={"type": "string"},
    example="wait=5",
)
_IF_NONE_MATCH: Final = Parameter(
    name="If-None-Match",
    place="header",
    description="an `ETag`; while it holds the answer is 304",
    schema={"type": "string"},
    example='"5d41402abc4b2a76b9719d911017c592"',
)
_UNCHANGED: Final = Answer(
    description="The one that `If-None-Match` names",
    headers={"ETag": "", "Preference-Applied": ""},
)
_WAITED: Final = (
    "INVALID_MIN_VERSION",
    "USER_NOT_FOUND",
    "TOO_MANY_WAITS",
    "WAITS_EXHAUSTED",
    "VERSION_NOT_REACHED",
)
_PUBLIC: Final[Mapping[str, object]] = {
    "id": "9b2ff0a3-6c3f-5b1e-9f5e-0d6a4f1d2c3b",
    "clerk_id": "user_2abcDEF",
    "first_name": "Nadia",
    "last_name": "Quill",
    "username": "nadia",
    "image_url": None,
    "created_at": "2026-01-31T12:00:00.000Z",
}
_WHOLE: Final[Mapping[str, object]] = {
    **_PUBLIC,
    "email": "nadia.quill@example.com",
    "email_verified": True,
    "external_id": None,
    "role": "user",
    "status": "active",
    "public_metadata": {},
    "last_sign_in_at": "2026-02-01T09:30:00.000Z",
    "last_active_at": None,
    "updated_at": "2026-02-01T09:30:00.000Z",
    "deleted_at": None,
    "version": 1769938200000,
}


class SomeUser(RootModel[User | PublicProfile]):
    """A user, whole or what everybody sees of them."""


class UserPage(BaseModel):
    """A page of users."""

    model_config = ConfigDict(extra="forbid")

    data: list[User | PublicProfile]
    next_cursor: str | None


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/me",
        handler=show_me,
        name="show_me",
        summary="The caller's own user",
        parameters=(_MIN_VERSION, _PREFER, _IF_NONE_MATCH),
        answers={
            200: Answer(
                description="The user, whole",
                model=User,
                headers={"ETag": "", "Preference-Applied": ""},
                example=_WHOLE,
            ),
            304: _UNCHANGED,
        },
        errors=_WAITED,
    ),
    Endpoint(
        method="GET",
        path="/v1/users",
        handler=show_users,
        name="list_users",
        summary="All users, newest first",
        parameters=(LIMIT, CURSOR),
        answers={
            200: Answer(
                description="A page of users",
                model=UserPage,
                example={"data": [_PUBLIC], "next_cursor": None},
            )
        },
        errors=("INVALID_CURSOR", "INVALID_LIMIT"),
    ),
    Endpoint(
        method="GET",
        path="/v1/users/{id}",
        handler=show_user,
        name="show_user",
        summary="A user",
        parameters=(_USER_ID, _MIN_VERSION, _PREFER, _IF_NONE_MATCH),
        answers={
            200: Answer(
                description="The user, as far as the caller sees them",
                model=SomeUser,
                headers={"ETag": "", "Preference-Applied": ""},
                example=_PUBLIC,
            ),
            304: _UNCHANGED,
        },
        errors=("INVALID_ID", *_WAITED),
    ),
)


async def _show(request: web.Request, caller: Caller, user_id: UUID) -> web.Response:
    wish = read_wish(request.query.items(), request.headers.getall("Prefer", ()))
    standing, user = await _read(request, caller, user_id)
    if wish and not has_reached(user, wish.min_version):
        await request.app[WAITS].until_reached(user_id, wish, caller=caller)
        standing, user = await _read(request, caller, user_id)
        if not has_reached(user, wish.min_version):
            raise VersionNotReachedError(wish)
    if user is None or not is_visible(user, to=standing):
        raise _not_found(own=user_id == caller.user_id)
    body = encode(present_user(user, fully=is_admin(standing) or user_id == caller.user_id))
    etag = tag(body)
    known = [each.value for each in request.if_none_match or ()]
    if etag in known or _ETAG_ANY in known:
        response = web.Response(status=304, headers={"Cache-Control": "private, no-cache"})
    else:
        response = _json(body)
    response.etag = etag
    if wish:
        response.headers.update(wish.headers)
    return response


async def _read(
    request: web.Request, caller: Caller, user_id: UUID
) -> tuple[Standing | None, UsersRow | None]:
    standing, user = await read_user(request.app[POOL], caller_id=caller.user_id, user_id=user_id)
    admit(standing)
    return standing, user


def _json(body: bytes) -> web.Response:
    return web.Response(
        body=body,
        content_type="application/json",
        charset="utf-8",
        headers={"Cache-Control": "private, no-cache"},
    )


def _not_found(*, own: bool) -> HttpError:
    if own:
        return HttpError(
            "USER_NOT_FOUND",
            "Your user is not here yet: Clerk's webhook may still be on its way.",
            headers={"Retry-After": "1"},
        )
    return HttpError("USER_NOT_FOUND", "There is no such user.")
