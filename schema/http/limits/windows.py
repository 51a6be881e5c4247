"""Counting: sliding windows in memory or in Redis, and what is left of them.

A sliding window counts the current window and the previous one, the latter for as much as it
still overlaps: two numbers for each client, and no burst of twice the limit where windows meet.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cachetools import LRUCache
from limits.aio.storage import SlidingWindowCounterSupport

if TYPE_CHECKING:
    from collections.abc import Callable

    from schema.http.limits.rules import Rule

KEYS: Final = 50_000
"""Clients that one process counts, in about 15 MB; of more, the longest unseen begin anew."""


class Level(NamedTuple):
    """What a window says about one request."""

    allowed: bool
    left: int
    """How many more would be allowed now."""
    wait_s: int
    """Allowed: until the current window ends. Else: until one is allowed again."""


class Windows(Protocol):
    """Where requests are counted."""

    async def take(self, rule: Rule, who: str) -> Level | None:
        """Count a request of `who`; None when nobody can say. Does not raise."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


async def count(storage: SlidingWindowCounterSupport, rule: Rule, who: str) -> Level:
    """Count a request of `who` in `storage`. Raises whatever the storage does."""
    key = f"{rule.name}/{rule.window_s}/{who}"
    allowed = await storage.acquire_sliding_window_entry(key, rule.limit, rule.window_s)
    previous, previous_s, current, current_s = await storage.get_sliding_window(key, rule.window_s)
    used = math.floor(previous * previous_s / rule.window_s + current)
    end_s = max(current_s - rule.window_s, 0.0)
    if allowed:
        return Level(allowed=True, left=max(rule.limit - used, 0), wait_s=math.ceil(end_s))
    wait_s = end_s
    if current < rule.limit:
        # One fits when the previous window weighs less than what the current one leaves.
        wait_s = previous_s - rule.window_s * (rule.limit - current) / previous if previous else 0
    return Level(allowed=False, left=0, wait_s=math.floor(max(wait_s, 0)) + 1)


class _Window:
    """The counts of one client."""

    __slots__ = ("current", "number", "previous")

    def __init__(self) -> None:
        self.number, self.previous, self.current = 0, 0, 0

    def slide(self, number: int) -> None:
        if number != self.number:
            self.previous = self.current if number == self.number + 1 else 0
            self.current, self.number = 0, number


class MemoryStorage(SlidingWindowCounterSupport):
    """Counts in this process, for a bounded number of keys.

    The storage of `limits` keeps a lock and two counters for each key without a bound, and
    looks through all of them at every request: a million strangers would stop the event loop.
    """

    def __init__(self, *, keys: int = KEYS, clock: Callable[[], float] = time.time) -> None:
        self._windows: LRUCache[str, _Window] = LRUCache(keys)
        self._clock = clock

    def __len__(self) -> int:
        return len(self._windows)

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count `amount` unless that is more than `limit` in `expiry` seconds."""
        window = self._find(key)
        number, past_s = divmod(self._clock(), expiry)
        window.slide(int(number))
        weight = window.previous * (expiry - past_s) / expiry
        if math.floor(weight + window.current) + amount > limit:
            return False
        window.current += amount
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the counts of the previous and the current window, each with its seconds left."""
        window = self._find(key)
        number, past_s = divmod(self._clock(), expiry)
        window.slide(int(number))
        left_s = expiry - past_s
        return window.previous, left_s, window.current, left_s + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002  # its name
        """Forget the counts of `key`."""
        self._windows.pop(key, None)

    def _find(self, key: str) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window()
        return window


class MemoryWindows:
    """Windows of this process alone."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()

    async def take(self, rule: Rule, who: str) -> Level | None:
        """Count a request of `who`."""
        return await count(self._storage, rule, who)

    async def close(self) -> None:
        """Nothing is open."""
