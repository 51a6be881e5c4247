"""Changes: `/v1/changes`, in pages or as a stream of server-sent events."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime  # read at run time by pydantic
from typing import TYPE_CHECKING, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, JsonValue

from api.database import POOL
from api.page import LIMIT, MAX_LIMIT, NOW, decode_position, encode_position, parse_changes_page
from api.present import encode, present_changes
from api.resume import next_position, read_on
from api.stream import STREAMS
from schema.http.endpoints import Answer, Endpoint, Parameter
from schema.http.tokens.callers import AUTHENTICATOR

if TYPE_CHECKING:
    from api.page import ChangesPage
    from schema.http.tokens.claims import Caller

EVENT_STREAM: Final = "text/event-stream"
LAST_EVENT_ID: Final = "Last-Event-ID"
"""What a browser's EventSource sends when it comes back."""


async def show_changes(request: web.Request) -> web.StreamResponse:
    """Answer with the changes that the caller may see, in their order: a page or a stream."""
    caller = await request.app[AUTHENTICATOR].authenticate(request)
    page = parse_changes_page(request.query.items())
    if request.method == "GET" and wants_stream(request.headers.get("Accept", "")):
        return await _stream(request, caller, page)
    found = await read_on(request.app[POOL], caller=caller, page=page)
    next_cursor = encode_position(next_position(found))
    body = present_changes(found.changes, next_cursor=next_cursor, more=found.more)
    return web.Response(
        body=encode(body),
        content_type="application/json",
        charset="utf-8",
        headers={"Cache-Control": "no-store", "Vary": "Accept"},
    )


class Changed(BaseModel):
    """Something that was changed, and what it is now."""

    model_config = ConfigDict(extra="forbid")

    type: str
    id: str
    sequence: int
    occurred_at: datetime
    state: dict[str, JsonValue] | None


class ChangesFound(BaseModel):
    """A page of changes."""

    model_config = ConfigDict(extra="forbid")

    data: list[Changed]
    next_cursor: str
    more: bool


_EXAMPLE: Final = {
    "type": "clerkwork.user.deleted",
    "id": "user_2abcDEF",
    "sequence": 1769938200000000,
    "occurred_at": "2026-02-01T09:30:00.000Z",
    "state": None,
}
_SINCE: Final = Parameter(
    name="since",
    place="query",
    description="`next_cursor` of the page before, `id:` of an event, or `now`; left out, `now`",
    schema={"type": "string"},
    example=NOW,
)
_LAST: Final = Parameter(
    name=LAST_EVENT_ID,
    place="header",
    description="where a stream goes on; a browser's EventSource sends it",
    schema={"type": "string"},
    example=encode_position(1769938200000000),
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/changes",
        handler=show_changes,
        name="list_changes",
        summary="What has changed since",
        description="A page, or with `Accept: text/event-stream` a stream of server-sent events.",
        parameters=(LIMIT, _SINCE, _LAST),
        answers={
            200: Answer(
                description="A page of changes, or a stream of them",
                model=ChangesFound,
                headers={"Vary": ""},
                example={
                    "data": [_EXAMPLE],
                    "next_cursor": encode_position(1769938200000000),
                    "more": False,
                },
                texts={
                    EVENT_STREAM: f"id: {encode_position(1769938200000000)}\n"
                    f"event: clerkwork.user.deleted\ndata: {json.dumps(_EXAMPLE)}\n\n"
                },
            )
        },
        errors=(
            "INVALID_CURSOR",
            "INVALID_LIMIT",
            "CURSOR_EXPIRED",
            "TOO_MANY_STREAMS",
            "STREAMS_EXHAUSTED",
        ),
    ),
)


def wants_stream(accept: str) -> bool:
    """Say whether a header `Accept` names the type of server-sent events."""
    types = (each.partition(";")[0].strip().lower() for each in accept.split(","))
    return EVENT_STREAM in types


async def _stream(request: web.Request, caller: Caller, page: ChangesPage) -> web.StreamResponse:
    last = request.headers.get(LAST_EVENT_ID)
    if last:
        page = replace(page, since=decode_position(last, field=LAST_EVENT_ID))
    streams = request.app[STREAMS]
    with streams.places.taken(caller.clerk_id):
        # What is wrong with the request is answered before the stream begins.
        first = await read_on(streams.pool, caller=caller, page=replace(page, limit=MAX_LIMIT))
        return await streams.serve(request, caller=caller, first=first)
