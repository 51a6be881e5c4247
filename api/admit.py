"""Admit a caller: who they are, as the token says, and what they may do, as the database says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from api.authorize import admit, is_admin
from api.database import POOL, DatabaseUnavailableError
from api.read import read_standing
from schema.http.tokens.callers import AUTHENTICATOR

if TYPE_CHECKING:
    from uuid import UUID

    from api.read import Standing
    from schema.http.tokens.claims import Caller


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """A caller who may come in, and how much they see."""

    caller: Caller
    standing: Standing | None
    """None while their row has not arrived, and for machines."""

    @property
    def user_id(self) -> UUID:
        """The key of their row."""
        return self.caller.user_id

    @property
    def sees_all(self) -> bool:
        """Whether everything is shown to them."""
        return is_admin(self.standing)

    def owns(self, user_id: UUID) -> bool:
        """Say whether what belongs to this user is their own."""
        return user_id == self.caller.user_id


class Gate:
    """Where every request that needs a session comes by."""

    async def admit(self, request: web.Request) -> Viewer:
        """Return who wants to see something.

        Raises UnauthenticatedError, KeysUnavailableError, DatabaseUnavailableError, or HttpError
        403 for who is banned or gone.
        """
        caller = await request.app[AUTHENTICATOR].authenticate(request)
        standing = await read_standing(request.app[POOL], caller)
        admit(standing)
        return Viewer(caller=caller, standing=standing)

    async def admit_for_public(self, request: web.Request) -> Viewer:
        """Return who wants to see something that every signed-in user may see.

        Raises UnauthenticatedError, KeysUnavailableError, or HttpError 403.
        """
        caller = await request.app[AUTHENTICATOR].authenticate(request)
        try:
            standing = await read_standing(request.app[POOL], caller)
        except DatabaseUnavailableError:
            standing = None
        admit(standing)
        return Viewer(caller=caller, standing=standing)


GATE: Final = web.AppKey("gate", Gate)
"""Where handlers find it."""
