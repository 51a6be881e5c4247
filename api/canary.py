"""How new the canary is: `/canary/{id}`, without sign-in, because nobody is behind it."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from api.database import POOL
from api.read import read_versions
from schema.http.endpoints import Answer, Endpoint, Parameter
from schema.http.errors import HttpError
from schema.kafka.changes import CANARY_PREFIX, is_canary
from schema.postgres.ids import derive_id


async def show_canary(request: web.Request) -> web.Response:
    """Answer with the version of a canary; of anybody else there is nothing here."""
    clerk_id = request.match_info["id"]
    user_id = derive_id(clerk_id)
    found = await read_versions(request.app[POOL], [user_id]) if is_canary(clerk_id) else {}
    if user_id not in found:
        raise HttpError("CANARY_NOT_FOUND", "There is no such canary.")
    return web.json_response({"version": found[user_id].version})


class Flown(BaseModel):
    """How new a canary is."""

    model_config = ConfigDict(extra="forbid")

    version: int


_ID: Final = Parameter(
    name="id",
    place="path",
    description="the canary's",
    schema={"type": "string"},
    example=f"{CANARY_PREFIX}-1",
    required=True,
)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/canary/{id}",
        handler=show_canary,
        name="show_canary",
        summary="How new a canary is",
        parameters=(_ID,),
        answers={
            200: Answer(description="Its version", model=Flown, example={"version": 1769938200000})
        },
        errors=("CANARY_NOT_FOUND", "DATABASE_UNAVAILABLE"),
        signed_in=False,
    ),
)
