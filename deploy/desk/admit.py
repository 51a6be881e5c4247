"""Admit operators: by a session of the desk's, or Clerk's; as the database says at each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

import api.admit
from api.admit import ENDED
from api.authorize import admit as let_in
from api.authorize import is_admin
from api.read import Standing
from deploy.desk.database import DATABASE
from deploy.desk.sessions import SESSIONS
from schema.http.errors import HttpError
from schema.http.limits.charge import charge
from schema.http.tokens.callers import AUTHENTICATOR, CALLER
from schema.http.tokens.claims import UnauthenticatedError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from schema.http.tokens.claims import Caller

_READ_CALLERS: Final = read_statements(api.admit.__file__)["read_callers"]

COOKIE: Final = "clerkwork_desk"
"""The cookie of the desk's own sessions; with the prefix `__Host-` where it goes by TLS only."""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Who is at the desk: an administrator, as of this request."""

    caller: Caller
    identity: str
    """Of their session: what forms are made for."""
    own_session: bool
    """Whether it is one of the desk's."""

    @property
    def name(self) -> str:
        """What the audit calls them."""
        actor = self.caller.actor
        return f"{self.caller.clerk_id} (by {actor})" if actor else self.caller.clerk_id


OPERATOR: Final = web.RequestKey("operator", Operator)
"""Where handlers find who is asking."""


def cookie_name(*, secure: bool) -> str:
    """Return the name of the session's cookie.

    A browser takes a name with this prefix from the host itself only, by TLS, for all paths:
    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
    """
    return f"__Host-{COOKIE}" if secure else COOKIE


async def admit(request: web.Request, *, secure: bool) -> Operator:
    """Return who is asking.

    Raises UnauthenticatedError, KeysUnavailableError, DatabaseUnavailableError, and HttpError 403
    for who is no administrator, banned or gone.
    """
    session = None
    if not request.headers.get("Authorization", "").lower().startswith("bearer"):
        said = request.cookies.get(cookie_name(secure=secure))
        session = request.app[SESSIONS].find(said) if said else None
    if session:
        caller = request[CALLER] = session.caller
        await charge(request, user=caller.clerk_id)
        identity = f"desk:{session.id}"
    else:
        caller = await request.app[AUTHENTICATOR].authenticate(request)
        identity = f"clerk:{caller.session_id}:{caller.clerk_id}"
    await demand_standing(request.app, caller)
    return Operator(caller=caller, identity=identity, own_session=session is not None)


async def demand_standing(app: web.Application, caller: Caller) -> None:
    """Go on where the database calls them an administrator, and their session is not over.

    Raises UnauthenticatedError, DatabaseUnavailableError, HttpError 403.
    """
    async with app[DATABASE].reading() as connection:
        row = await connection.fetchrow(_READ_CALLERS, [caller.user_id], [caller.session_key])
    if row is not None and row["session_status"] in ENDED:
        raise UnauthenticatedError("session_ended")
    standing = None
    if row is not None and row["caller_role"] is not None:
        standing = Standing(role=row["caller_role"], status=row["caller_status"])
    let_in(standing)
    if not is_admin(standing):
        raise HttpError(
            "FORBIDDEN",
            f"{caller.clerk_id} is no administrator here. The desk is for users to whose"
            ' public_metadata Clerk has "role": "admin", once that has arrived in the database.',
        )
