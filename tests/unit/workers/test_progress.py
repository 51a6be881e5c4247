"""When a loop counts as stalled, and what waits for a commit."""

from __future__ import annotations

from dataclasses import dataclass

from workers.commit import Control
from workers.progress import Progress


@dataclass
class Clock:
    """A time that is what the test says."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now_s


def test_a_loop_that_has_not_begun_does_not_stall() -> None:
    """It waits for Kafka, for as long as that takes."""
    clock = Clock()
    progress = Progress(clock)
    clock.now_s += 9000

    assert progress.stalled_s == 0


def test_a_rest_that_was_told_of_is_no_stall() -> None:
    """A record that is due in ten minutes keeps its loop from turning so long; no longer."""
    clock = Clock()
    progress = Progress(clock)
    progress.turn(rest_s=600)
    clock.now_s += 599
    resting = progress.stalled_s
    clock.now_s += 31
    late = progress.stalled_s
    progress.turn()

    assert (resting, late, progress.stalled_s) == (0, 30, 0)


def test_nothing_waits_where_nothing_is_committed() -> None:
    """Before a subscription there is nobody to commit."""
    assert Control().unconfirmed_s == 0
