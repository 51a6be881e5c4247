"""Never ask more often than we may, and not at all while Clerk asks us to wait."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from schema.clerk.errors import ClerkUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_WINDOW_S: Final = 10.0
_LONGEST_PAUSE_S: Final = 900.0


class Budget:
    """Requests in any 10 s; whoever waits for one is served in turn.

    A request counts until 10 s after its answer, for nobody knows when Clerk counted it. A leaky
    bucket would let twice as many into one window, and a window by the wall clock may jump.
    """

    def __init__(self, requests_per_10_s: int) -> None:
        self._free = asyncio.Semaphore(requests_per_10_s)
        self._paused_until = 0.0
        self.waited_s = 0.0
        """For how long requests have waited, all together."""

    def pause(self, seconds: float) -> None:
        """Let no request begin for so long, 15 minutes at most."""
        until = time.monotonic() + min(seconds, _LONGEST_PAUSE_S)
        self._paused_until = max(self._paused_until, until)

    @contextlib.asynccontextmanager
    async def spend(self, patience_s: float) -> AsyncIterator[None]:
        """Have one request while the context lasts.

        Raises ClerkUnavailableError when it may not begin within `patience_s`.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience_s):
                await self._free.acquire()
        except TimeoutError:
            raise ClerkUnavailableError("the requests that Clerk allows are used up") from None
        try:
            await self._wait_for_pause(began + patience_s)
            self.waited_s += time.monotonic() - began
            yield
        finally:
            asyncio.get_running_loop().call_later(_WINDOW_S, self._free.release)

    async def _wait_for_pause(self, give_up_at: float) -> None:
        while (wait_s := self._paused_until - time.monotonic()) > 0:
            if self._paused_until > give_up_at:
                raise ClerkUnavailableError("Clerk asks us to wait for longer than we may")
            await asyncio.sleep(wait_s)
