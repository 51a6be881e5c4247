"""Counting: sliding windows in memory or in Redis, and what is left of them.

A sliding window counts the current window and the previous one, the latter for as much as it
still overlaps: two numbers for each client, and no burst of twice the limit where windows meet.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from limits.aio.storage import SlidingWindowCounterSupport

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
    counts = Counts(previous, current, previous_s, max(current_s - rule.window_s, 0.0))
    return judge(rule, counts, allowed=allowed)


class Counts(NamedTuple):
    """What has been counted of one client."""

    previous: int
    current: int
    previous_s: float
    """For how much of a window the previous one still overlaps."""
    end_s: float
    """Until the current window ends."""


def judge(rule: Rule, counts: Counts, *, allowed: bool) -> Level:
    """Return what `counts`, the request in them where it is allowed, say to the client."""
    previous, current, previous_s, end_s = counts
    if allowed:
        used = math.floor(previous * previous_s / rule.window_s + current)
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
        """Begin another window."""
        self.previous = self.current if number == self.number + 1 else 0
        self.current, self.number = 0, number


class MemoryWindows:
    """Windows of this process alone, for a bounded number of clients.

    The storage of `limits` keeps a lock and two counters for each key without a bound, and
    looks through all of them at every request: a million strangers would stop the event loop.
    """

    def __init__(self, *, keys: int = KEYS, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock
        # In the order in which they were seen.
        self._windows: OrderedDict[tuple[Rule, str], _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    async def take(self, rule: Rule, who: str) -> Level | None:
        """Count a request of `who`."""
        window = self._find((rule, who))
        limit, window_s = rule.limit, rule.window_s
        number, past_s = divmod(self._clock(), window_s)
        if number != window.number:
            window.slide(int(number))
        left_s = window_s - past_s
        used = math.floor(window.previous * left_s / window_s + window.current)
        if used >= limit:
            counts = Counts(window.previous, window.current, left_s, left_s)
            return judge(rule, counts, allowed=False)
        window.current += 1
        return Level(True, limit - used - 1, math.ceil(left_s))  # names take as long again

    async def close(self) -> None:
        """Nothing is open."""

    def _find(self, key: tuple[Rule, str]) -> _Window:
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._keys:
                self._windows.popitem(last=False)
            window = self._windows[key] = _Window()
        else:
            self._windows.move_to_end(key)
        return window
