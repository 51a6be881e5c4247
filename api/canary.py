"""How new the canary is: `/canary/{id}`, without sign-in, because nobody is behind it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api.answers.events import CanaryAnswer
from api.database import POOL
from api.declare import path_id
from api.read.awaited import read_awaited
from schema.http.endpoints import Answer, Endpoint
from schema.http.errors import HttpError
from schema.kafka.changes import CANARY_PREFIX, is_canary
from schema.postgres.ids import derive_id


async def show_canary(request: web.Request) -> web.Response:
    """Answer with the version of a canary; of anybody else there is nothing here."""
    clerk_id = request.match_info["id"]
    user_id = derive_id(clerk_id)
    if is_canary(clerk_id):
        found = await read_awaited(request.app[POOL], users=[user_id])
        if user_id in found.users:
            return web.json_response({"version": found.users[user_id].version})
    raise HttpError("CANARY_NOT_FOUND", "There is no such canary.")


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/canary/{id}",
        handler=show_canary,
        name="show_canary",
        summary="How new a canary is",
        parameters=(path_id("The canary.", pattern="[^/]+", example=f"{CANARY_PREFIX}-api-0"),),
        answers={
            200: Answer(
                description="Its version",
                model=CanaryAnswer,
                headers={"Cache-Control": "`no-store`."},
                example={"version": 1_770_112_800_000},
            )
        },
        errors=("CANARY_NOT_FOUND", "DATABASE_UNAVAILABLE"),
        signed_in=False,
    ),
)
