"""The budget of a consumer's loop: in which step each second went, so that all sum to the time."""

from __future__ import annotations

import contextlib
import time
from collections import Counter as Tally
from typing import TYPE_CHECKING

from schema.ops.metrics import LOOP_STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Counter


class Budget:
    """Attributes time as it passes; costs a look at the clock whenever a step begins or ends.

    Batches of several partitions are dealt with at once: what is done at the same moment shares it.
    """

    def __init__(self, seconds: Counter | None = None) -> None:
        """Without `seconds` nothing is shown."""
        self._seconds = {step: seconds.labels(step) for step in LOOP_STEPS} if seconds else {}
        self._active = Tally[str]()
        self._rest = LOOP_STEPS[0]
        self._since_s = time.monotonic()

    @contextlib.contextmanager
    def spend(self, step: str) -> Iterator[None]:
        """Attribute the time until the context ends to this step, and to those beside it."""
        self.settle()
        self._active[step] += 1
        try:
            yield
        finally:
            self.settle()
            self._active[step] -= 1

    def rest(self, step: str) -> None:
        """Attribute the time to this step from now on, wherever it is spent on no other."""
        self.settle()
        self._rest = step

    def settle(self) -> None:
        """Attribute the time that has passed."""
        now_s = time.monotonic()
        passed_s, self._since_s = now_s - self._since_s, now_s
        at_work = self._active.total()
        if not self._seconds:
            return
        if not at_work:
            self._seconds[self._rest].inc(passed_s)
            return
        for step, number in self._active.items():
            if number:
                self._seconds[step].inc(passed_s * number / at_work)
