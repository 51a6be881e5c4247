"""Sessions of the desk's own, for browsers that have none of Clerk's here; and one-time codes.

All in memory: a desk that starts anew asks everybody to sign in again.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from schema.http.tokens.claims import Caller

SESSION_S: Final = 8 * 3600.0
"""No session lasts longer."""
IDLE_S: Final = 30 * 60.0
"""A session that nobody uses for so long is over."""
CODE_S: Final = 10 * 60.0
"""How long a one-time code is good."""
MOST_SESSIONS: Final = 1000
"""The least recently used make room."""
MOST_CODES: Final = 20
"""The oldest make room."""


@dataclass(kw_only=True)
class Session:
    """Who has signed in here."""

    id: str
    caller: Caller
    """As the token said: what they may do is read anew for each request."""
    begun_at: float
    used_at: float


class Sessions:
    """Remembers who has signed in, for a bounded time and a bounded number."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._codes: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, caller: Caller) -> Session:
        """Begin a session, under an id that nobody can guess."""
        now = self._clock()
        session = Session(id=secrets.token_urlsafe(32), caller=caller, begun_at=now, used_at=now)
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.popitem(last=False)
        self._sessions[session.id] = session
        return session

    def find(self, session_id: str) -> Session | None:
        """Return a session that is not over, and note that it is used."""
        session, now = self._sessions.get(session_id), self._clock()
        if session is None:
            return None
        if now - session.begun_at >= SESSION_S or now - session.used_at >= IDLE_S:
            del self._sessions[session_id]
            return None
        session.used_at = now
        self._sessions.move_to_end(session_id)
        return session

    def end(self, session_id: str) -> None:
        """Forget a session."""
        self._sessions.pop(session_id, None)

    def make_code(self, caller: Caller) -> str:
        """Return a code with which this caller signs in once, within CODE_S."""
        while len(self._codes) >= MOST_CODES:
            self._codes.popitem(last=False)
        code = secrets.token_urlsafe(24)
        self._codes[code] = caller, self._clock() + CODE_S
        return code

    def find_code(self, code: str) -> Caller | None:
        """Return whose code it is; None where it is none, or not any more."""
        caller, until = self._codes.get(code, (None, 0.0))
        return caller if self._clock() < until else None

    def take_code(self, code: str) -> Caller | None:
        """Return whose code it is, this once; None as `find_code`."""
        caller = self.find_code(code)
        self._codes.pop(code, None)
        return caller


SESSIONS: Final = web.AppKey("sessions", Sessions)
"""Where handlers find them."""
