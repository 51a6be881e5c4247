"""Hold off sources that keep sending forgeries, before their signatures cost anything.

Only rejected webhooks count, and a source that signs rightly is let through whatever else comes
from it: behind one proxy everybody has the same address, and Clerk must never be locked out. Nor
where it has not been heard for an hour, while a forger has its address, as any other customer of
Svix has: of a source that is held off a few webhooks are looked at all the time, and the first
that is rightly signed ends it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from cachetools import TTLCache
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

TRUST_S: Final = 3600.0
"""How long one rightly signed webhook vouches for its source."""
LOOK_S: Final = 0.25
"""Of a source that is held off one webhook in so long is looked at: that costs next to nothing."""
MOST_LOOKED_AT: Final = 10_000
"""Sources that are held off and remembered so; those forgotten are looked at a moment later."""


class Throttle:
    """Counts rejections per source address; all in memory, forgotten as the windows end."""

    def __init__(
        self, *, forgeries_per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._windows = FixedWindowRateLimiter(MemoryStorage())
        self._forgeries = RateLimitItemPerMinute(forgeries_per_minute)
        # Only who has the secret gets in here: a handful of addresses.
        self._vouched_until: dict[str, float] = {}
        self._looked_at = TTLCache[str, float](MOST_LOOKED_AT, 60.0, timer=clock)
        self._clock = clock

    def blocks(self, source: str) -> bool:
        """Tell whether `source` has used up its forgeries and nothing vouches for it.

        Now and then it is not blocked all the same: see LOOK_S.
        """
        if self._vouched_until.get(source, 0.0) > self._clock():
            return False
        if self._windows.test(self._forgeries, source):
            return False
        return not self._looks_at(source)

    def _looks_at(self, source: str) -> bool:
        now = self._clock()
        looked_at = self._looked_at.setdefault(source, now)
        if now < looked_at + LOOK_S:
            return False
        self._looked_at[source] = now
        return True

    def reject(self, source: str) -> None:
        """Count a rejected webhook of `source`."""
        self._windows.hit(self._forgeries, source)

    def vouch(self, source: str) -> None:
        """Note that `source` sent a rightly signed webhook."""
        self._vouched_until[source] = self._clock() + TRUST_S
