"""Public profiles: of users what every signed-in user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from uuid import UUID  # read at run time by web.AppKey

from aiohttp import web

from api.database import fetch, named_statements
from api.together import Together

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from api.database import Pool

_SQL: Final = named_statements(__file__)


class Profile(NamedTuple):
    """What is shown of a user, and whether it may be."""

    id: UUID
    clerk_id: str
    first_name: str | None
    last_name: str | None
    username: str | None
    image_url: str | None
    created_at: datetime | None
    status: str


async def read_profiles(pool: Pool, ids: Collection[UUID]) -> Mapping[UUID, Profile]:
    """Return those of these users who have a row."""
    return {row["id"]: Profile(*row) for row in await fetch(pool, _SQL["read_profiles"], list(ids))}


Profiles: TypeAlias = Together[UUID, Profile]

PROFILES: Final = web.AppKey("profiles", Profiles)
"""Where handlers find them: those of one turn of the event loop are read at once."""
