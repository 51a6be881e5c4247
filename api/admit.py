"""Admit a caller: who they are, as the token says, and what they may do, as the database says.

A session that Clerk ended, or a user that was shut out, is turned away as soon as the database
knows and the standing is read again: within API_STANDING_TTL_S, or at once after `Gate.forget`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aiohttp import web

from api.authorize import admit, is_admin
from api.database import DatabaseUnavailableError, fetch, named_statements
from api.newcomers import NEWCOMERS
from api.read import Standing
from api.standings import Found, Key, Standings
from api.together import Together
from schema.http.errors import HttpError
from schema.http.tokens.callers import AUTHENTICATOR
from schema.http.tokens.claims import READ_SCOPE, UnauthenticatedError
from schema.ops.metrics.api import SIGN_INS_REFUSED, STANDING_LOOKS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from api.database import Pool
    from schema.http.tokens.claims import Caller
    from schema.ops.metrics import ApiMetrics

_SQL: Final = named_statements(__file__)

ENDED: Final = frozenset({"ended", "removed", "revoked", "replaced", "expired", "abandoned"})
"""Statuses of a session that no token of it outlives. A session that is not here yet is good."""


class InsufficientScopeError(HttpError):
    """A machine's token does not say that it may read."""

    def __init__(self) -> None:
        super().__init__(
            "INSUFFICIENT_SCOPE",
            f"The token needs the scope {READ_SCOPE}.",
            # RFC 6750 §3.1
            headers={
                "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{READ_SCOPE}"'
            },
        )


class Viewer(NamedTuple):
    """A caller who may come in, and how much they see."""

    caller: Caller
    standing: Standing | None
    """None while their row has not arrived, and for machines."""

    @property
    def user_id(self) -> UUID:
        """The key of their row; a machine has none."""
        return self.caller.user_id

    @property
    def sees_all(self) -> bool:
        """Whether everything is shown to them.

        The database calls them an administrator, or their token has the scope: only the owner of
        the Clerk instance decides what stands in tokens, of sessions and of machines alike.
        """
        return is_admin(self.standing) or READ_SCOPE in self.caller.scopes

    def owns(self, user_id: UUID) -> bool:
        """Say whether what belongs to this user is their own."""
        return user_id == self.caller.user_id

    def require_user(self) -> None:
        """Return when the caller is a user. Raises HttpError 403."""
        if self.caller.is_machine:
            raise HttpError("USERS_ONLY", "The caller is a machine and has no user of its own.")


class Said(NamedTuple):
    """What the database says of a caller and their session."""

    standing: Standing | None
    session_status: str | None


Callers: TypeAlias = Together[Key, Said]


async def read_callers(pool: Pool, keys: Collection[Key]) -> Mapping[Key, Said]:
    """Return what is said of each of these."""
    users, sessions = zip(*keys, strict=True)
    rows = await fetch(pool, _SQL["read_callers"], users, sessions)
    return {
        Key(row["user_id"], row["session_id"]): Said(
            Standing(role=row["caller_role"], status=row["caller_status"])
            if row["caller_role"] is not None
            else None,
            row["session_status"],
        )
        for row in rows
    }


class Gate:
    """Where every request that needs a session comes by."""

    def __init__(self, *, ttl_s: float, metrics: ApiMetrics) -> None:
        self._standings = Standings(ttl_s=ttl_s)
        self._metrics = metrics
        self._looks = {each: metrics.standing_looks.labels(each) for each in STANDING_LOOKS}

    async def admit(self, request: web.Request) -> Viewer:
        """Return who wants to see something.

        Raises UnauthenticatedError, KeysUnavailableError, DatabaseUnavailableError, or HttpError
        403 for who is banned or gone, and for a machine without the scope.
        """
        return await self._admit(request, machines=True, public=False)

    async def admit_user(self, request: web.Request) -> Viewer:
        """Return which user wants to see something. Raises as `admit`; machines are no users."""
        return await self._admit(request, machines=False, public=False)

    async def admit_for_public(self, request: web.Request) -> Viewer:
        """Return who wants to see what a cache may answer, also while the database is away.

        Then their standing is what was known last, or that of any user. Raises as `admit` but for
        DatabaseUnavailableError.
        """
        return await self._admit(request, machines=True, public=True)

    def forget(self, user_id: UUID) -> None:
        """Read anew what this user may do: something of theirs has changed."""
        self._standings.forget(user_id)

    async def _admit(self, request: web.Request, *, machines: bool, public: bool) -> Viewer:
        try:
            caller = await request.app[AUTHENTICATOR].authenticate(request, machines=machines)
            if caller.is_machine:
                if READ_SCOPE not in caller.scopes:
                    raise InsufficientScopeError
                return Viewer(caller, None)
            found = await self._find(request.app, caller, public=public)
            if found and found.session_ended:
                raise UnauthenticatedError("session_ended")
            standing = found.standing if found else None
            admit(standing)
            return Viewer(caller, standing)
        except HttpError as error:
            reason = getattr(error, "reason", error.code.lower())
            if reason in SIGN_INS_REFUSED:
                self._metrics.sign_ins_refused.labels(reason).inc()
            raise

    async def _find(self, app: web.Application, caller: Caller, *, public: bool) -> Found | None:
        key = Key(caller.user_id, caller.session_key)
        callers = app[CALLERS]
        try:
            found = await self._look(callers, key)
            if _is_awaited(found) and await _welcome(app, caller):
                found = await self._look(callers, key)
        except DatabaseUnavailableError:
            if not public:
                raise
            self._looks["outage"].inc()
            return self._standings.last(key)
        return found

    async def _look(self, callers: Callers, key: Key) -> Found:
        if found := self._standings.fresh(key):
            self._looks["kept"].inc()
            return found
        found = await self._standings.read(key, lambda: self._ask(callers, key))
        self._looks["read"].inc()
        return found

    async def _ask(self, callers: Callers, key: Key) -> Found:
        now = self._standings.clock()
        said = await callers.find(key)
        return Found(
            standing=said.standing if said else None,
            session_ended=said is not None and said.session_status in ENDED,
            read_at=now,
        )


def _is_awaited(found: Found) -> bool:
    """Say whether a caller who may come in is not here yet, or has only been mentioned."""
    return not found.session_ended and (
        found.standing is None or found.standing.status == "pending"
    )


async def _welcome(app: web.Application, caller: Caller) -> bool:
    newcomers = app.get(NEWCOMERS)
    return newcomers is not None and await newcomers.welcome(caller)


CALLERS: Final = web.AppKey("callers", Callers)
"""Where the gate finds what is said of them: those of one turn of the loop are read at once."""

GATE: Final = web.AppKey("gate", Gate)
"""Where handlers find it."""
