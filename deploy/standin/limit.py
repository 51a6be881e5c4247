"""How often Clerk lets itself be asked."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from deploy.standin.refuse import RefusedError
from schema.clerk.settings import allowed_requests

if TYPE_CHECKING:
    from deploy.standin.trouble import Trouble

_WINDOW_S: Final = 10.0


class RateLimit:
    """Counts the requests of the last 10 s, all keys together: the limit is the instance's."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._asked: deque[float] = deque()

    def take(self, secret_key: str) -> None:
        """Take one request, or raise RefusedError, 429."""
        now = time.monotonic()
        while self._asked and self._asked[0] <= now - _WINDOW_S:
            self._asked.popleft()
        most = self._trouble.requests_per_10_s
        if most is None:
            most = allowed_requests(secret_key, 1.0)
        if len(self._asked) >= most:
            wait_s = (self._asked[0] if self._asked else now) + _WINDOW_S - now
            raise RefusedError(
                429,
                "too_many_requests",
                "Too many requests. Please try again in a bit.",
                retry_after_s=max(1, math.ceil(wait_s)),
            )
        self._asked.append(now)
