"""What the declarations of several endpoints share: parameters, headers, answers, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api.answers.pages import CURSOR as CURSOR_EXAMPLE
from api.page import DEFAULT_LIMIT, MAX_LIMIT
from api.wait import MAX_VERSION, MAX_WAIT_S
from schema.http.endpoints import Answer, Parameter
from schema.http.tokens.claims import CLERK_USER_ID
from schema.postgres.ids import UUID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

ADMISSION: Final = (
    "UNAUTHENTICATED",
    "USER_BANNED",
    "USER_DELETED",
    "USER_DEPROVISIONED",
    "DATABASE_UNAVAILABLE",
    "KEYS_UNAVAILABLE",
)
"""Why a caller is not let in, or nobody is now."""

QUERY: Final = ("UNKNOWN_PARAMETER", "DUPLICATE_PARAMETER")
"""What is wrong with a query, wherever nothing else can be."""

PAGED: Final = (*QUERY, "INVALID_LIMIT", "INVALID_CURSOR")
"""What is wrong with the query of a list."""

WAITING: Final = ("TOO_MANY_WAITS", "WAITS_EXHAUSTED")
"""Why a caller cannot wait."""

LIMIT: Final = Parameter(
    name="limit",
    place="query",
    description="How many at most.",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    example=50,
)

CURSOR: Final = Parameter(
    name="cursor",
    place="query",
    description="Where to go on: `next_cursor` of the page before, as it was given.",
    schema={"type": "string"},
    example=CURSOR_EXAMPLE,
)

IF_NONE_MATCH: Final = Parameter(
    name="If-None-Match",
    place="header",
    description="The ETag of what the caller has: if it is still the same, the answer is 304.",
    schema={"type": "string"},
    example='"6c1e0d9f2b7a48355f0a9c3d8e4b1726"',
)

PREFER: Final = Parameter(
    name="Prefer",
    place="header",
    description=f"`wait=N`: for how many seconds to wait (RFC 7240), at most {MAX_WAIT_S}."
    " What cannot be read is ignored.",
    schema={"type": "string"},
    example="wait=10",
)

MIN_VERSION: Final = Parameter(
    name="min_version",
    place="query",
    description="Wait until the user has reached this version, so that what was written is read.",
    schema={"type": "integer", "minimum": 0, "maximum": MAX_VERSION},
    example=1_769_940_000_123,
)

USER_ID: Final = Parameter(
    name="id",
    place="path",
    description="A user: our id or Clerk's.",
    schema={"type": "string", "pattern": f"^({UUID_PATTERN}|{CLERK_USER_ID.pattern})$"},
    example="user_2mZxQ8vRt4KcYbN1sLdWfHjEaUp",
    required=True,
)

HEADERS: Final[Mapping[str, str]] = {
    "ETag": "What to send as If-None-Match: equal exactly when the bytes are.",
    "Cache-Control": "`private, no-cache`: the caller's alone, and to be asked about before use.",
    "Vary": "`Authorization, Cookie`: what is shown depends on who asks.",
}

KEPT: Final[Mapping[str, str]] = {
    **HEADERS,
    "Cache-Status": "Whether this server had kept the answer, and for how long it still may"
    " (RFC 9211); a negative ttl: the database is away.",
    "Age": "For how many seconds it has been kept.",
    "Warning": "`110`: it is stale, the database is away.",
}

APPLIED: Final[Mapping[str, str]] = {
    **HEADERS,
    "Preference-Applied": "The `wait=N` that was followed, where one was preferred.",
}


def answers(
    description: str,
    model: type[BaseModel],
    example: object,
    *,
    headers: Mapping[str, str] = HEADERS,
) -> Mapping[int, Answer]:
    """Return the answers of an endpoint to who can see what it has."""
    return {
        200: Answer(description=description, model=model, headers=headers, example=example),
        304: Answer(description="What the caller has is still the same.", headers=headers),
    }


def path_id(description: str, *, pattern: str, example: str) -> Parameter:
    """Return the declaration of the id in a path."""
    schema: dict[str, Any] = {"type": "string", "pattern": f"^({pattern})$"}
    return Parameter(
        name="id",
        place="path",
        description=description,
        schema=schema,
        example=example,
        required=True,
    )
