"""Hold off sources that keep sending forgeries, before their signatures cost anything.

Only rejected webhooks count, and a source that signs rightly is let through whatever else comes
from it: behind one proxy everybody has the same address, and Clerk must never be locked out.
"""

from __future__ import annotations

from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

TRUST_MINUTES: Final = 60
"""How long one rightly signed webhook vouches for its source."""


class Throttle:
    """Counts rejections per source address; all in memory, forgotten as the windows end."""

    def __init__(self, *, forgeries_per_minute: int) -> None:
        self._windows = FixedWindowRateLimiter(MemoryStorage())
        self._forgeries = RateLimitItemPerMinute(forgeries_per_minute, namespace="forgeries")
        self._trust = RateLimitItemPerMinute(1, TRUST_MINUTES, namespace="trust")

    def blocks(self, source: str) -> bool:
        """Tell whether `source` has used up its forgeries and nothing vouches for it."""
        vouched = not self._windows.test(self._trust, source)
        return not vouched and not self._windows.test(self._forgeries, source)

    def reject(self, source: str) -> None:
        """Count a rejected webhook of `source`."""
        self._windows.hit(self._forgeries, source)

    def vouch(self, source: str) -> None:
        """Note that `source` sent a rightly signed webhook."""
        self._windows.hit(self._trust, source)
