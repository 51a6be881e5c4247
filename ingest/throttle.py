"""Hold off sources that keep sending forgeries, before their signatures cost anything.

Only rejected webhooks count, and a source that signs rightly is let through whatever else comes
from it: behind one proxy everybody has the same address, and Clerk must never be locked out.
"""

from __future__ import annotations

import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

TRUST_S: Final = 3600.0
"""How long one rightly signed webhook vouches for its source."""


class Throttle:
    """Counts rejections per source address; all in memory, forgotten as the windows end."""

    def __init__(self, *, forgeries_per_minute: int) -> None:
        self._windows = FixedWindowRateLimiter(MemoryStorage())
        self._forgeries = RateLimitItemPerMinute(forgeries_per_minute)
        # Only who has the secret gets in here: a handful of addresses.
        self._vouched_until: dict[str, float] = {}

    def blocks(self, source: str) -> bool:
        """Tell whether `source` has used up its forgeries and nothing vouches for it."""
        if self._vouched_until.get(source, 0.0) > time.monotonic():
            return False
        return not self._windows.test(self._forgeries, source)

    def reject(self, source: str) -> None:
        """Count a rejected webhook of `source`."""
        self._windows.hit(self._forgeries, source)

    def vouch(self, source: str) -> None:
        """Note that `source` sent a rightly signed webhook."""
        self._vouched_until[source] = time.monotonic() + TRUST_S
