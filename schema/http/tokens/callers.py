"""Who is calling: find the session token of a request, and the key to verify it with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from schema.http.limits.charge import charge
from schema.http.tokens.claims import Caller, UnauthenticatedError, read_key_id, verify_token
from schema.http.tokens.keys import UnknownKeyError
from schema.http.tokens.memo import Memo, Verified

if TYPE_CHECKING:
    from schema.http.tokens.claims import TokenRules
    from schema.http.tokens.keys import KeySource

COOKIE: Final = "__session"
"""Clerk's cookie of the active session; names that only begin so are other applications'."""

CALLER: Final = web.RequestKey("caller", Caller)
"""Where the log line of a request finds who was calling."""

_BEARER: Final = re.compile(r"Bearer(?: +(.*))?", re.IGNORECASE)


def find_token(*, authorization: str | None, cookie: str | None) -> str:
    """Return the token of a request. Raises UnauthenticatedError.

    A bearer token wins over the cookie; another scheme (a proxy's Basic) does not hide it.
    """
    bearer = _BEARER.fullmatch(authorization.strip()) if authorization else None
    if bearer:
        return bearer[1] or ""
    if cookie is None:
        raise UnauthenticatedError("missing")
    return cookie


class Authenticator:
    """Finds, verifies and believes the token of a request."""

    def __init__(self, keys: KeySource, rules: TokenRules, *, memo: Memo | None = None) -> None:
        """Without a `memo` of one's own, tokens are remembered within the bounds of any."""
        self._keys = keys
        self._rules = rules
        self._memo = Memo() if memo is None else memo

    async def authenticate(self, request: web.Request, *, machines: bool = False) -> Caller:
        """Return which user is calling, and note it on `request` for the log.

        With `machines` it may be one of them, where the rules let them in at all; what it may do
        its scopes say. Raises UnauthenticatedError, KeysUnavailableError, or HttpError 429 where
        they have used up their limit.
        """
        headers = request.headers
        token = find_token(
            authorization=headers.get("Authorization"),
            cookie=request.cookies.get(COOKIE) if "Cookie" in headers else None,
        )
        caller = await self.believe(token, machines=machines and self._rules.machines)
        request[CALLER] = caller
        organization = caller.organization.id if caller.organization else None
        await charge(request, user=caller.clerk_id, organization=organization)
        return caller

    async def believe(self, token: str, *, machines: bool) -> Caller:
        """Return whose `token` is, which need not be verified again while its key is trusted.

        Raises UnauthenticatedError, KeysUnavailableError.
        """
        known = self._memo.find(token, machines=machines)
        key_id = known.key_id if known else read_key_id(token, machines=machines)
        try:
            key = await self._keys.find(key_id)
        except UnknownKeyError as error:
            raise UnauthenticatedError("unknown_key") from error
        now = self._memo.clock()
        if known and known.holds(key, at=now):
            return known.caller
        caller = verify_token(token, key=key, rules=self._rules, machines=machines)
        self._memo.keep(token, Verified(caller, key_id, key, now), machines=machines)
        return caller


AUTHENTICATOR: Final = web.AppKey("authenticator", Authenticator)
"""Where handlers find who checks their callers."""
