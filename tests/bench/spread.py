"""What several runs say together."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of the runs, and the least and the most of them."""

    median: float
    low: float
    high: float

    def overlaps(self, other: Spread) -> bool:
        """Tell whether some run of the one could be one of the other."""
        return self.low <= other.high and other.low <= self.high


def spread_of(samples: Sequence[float]) -> Spread:
    """Return the spread of at least one sample."""
    return Spread(median=median(samples), low=min(samples), high=max(samples))


def shares_of(figure: Figure, ours: Sequence[float], theirs: Sequence[float]) -> Sequence[float]:
    """Return the share in each run: what a machine does meanwhile meets both of them."""
    return [figure.share(one, other) for one, other in zip(ours, theirs, strict=True)]
