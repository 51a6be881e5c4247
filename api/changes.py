"""Changes: `/v1/changes`, in pages or as a stream of server-sent events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aiohttp import web

from api.admit import GATE
from api.answers.events import CHANGES, ChangePage
from api.database import POOL
from api.declare import ADMISSION, LIMIT, PAGED
from api.page import MAX_LIMIT, NOW, decode_position, encode_position, parse_changes_page
from api.present import encode, present_changes
from api.resume import next_position, read_on
from api.stream import STREAMS
from schema.http.endpoints import Answer, Endpoint, Parameter

if TYPE_CHECKING:
    from api.page import ChangesPage
    from schema.http.tokens.claims import Caller

EVENT_STREAM: Final = "text/event-stream"
LAST_EVENT_ID: Final = "Last-Event-ID"
"""What a browser's EventSource sends when it comes back."""


async def show_changes(request: web.Request) -> web.StreamResponse:
    """Answer with the changes that the caller may see, in their order: a page or a stream."""
    caller = (await request.app[GATE].admit_user(request)).caller
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


_SINCE: Final = Parameter(
    name="since",
    place="query",
    description="Where to go on: `next_cursor`, or the `id:` of a stream. `now`, or nothing, is the"
    " end of what there is.",
    schema={"type": "string"},
    example=NOW,
)
_LAST_EVENT_ID: Final = Parameter(
    name=LAST_EVENT_ID,
    place="header",
    description="The last `id:` of a stream that broke off; it outweighs `since`. Streams only.",
    schema={"type": "string"},
    example=CHANGES["next_cursor"],
)

_EVENT: Final = (
    f"id: {CHANGES['next_cursor']}\nevent: {CHANGES['data'][0]['type']}\n"
    f"data: {json.dumps(CHANGES['data'][0])}\n\n"
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/v1/changes",
        handler=show_changes,
        name="list_changes",
        summary="What has changed since",
        description="The changes that the caller may see, in their order. With"
        " `Accept: text/event-stream` they come as server-sent events, as long as the token is"
        " good: `event:` is their type, `id:` where to go on, `data:` the same JSON as in a page.",
        parameters=(LIMIT, _SINCE, _LAST_EVENT_ID),
        answers={
            200: Answer(
                description="A page of changes, or a stream of them",
                model=ChangePage,
                headers={
                    "Cache-Control": "`no-store`: it is another one the next moment.",
                    "Vary": "`Accept`.",
                },
                example=CHANGES,
                texts={EVENT_STREAM: _EVENT},
            )
        },
        errors=(
            *ADMISSION,
            *PAGED,
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
