"""A workload as callers make it: few are asked for often, most hardly ever."""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def zipf_numbers(of: int, *, s: float, seed: int) -> Iterator[int]:
    """Yield numbers below `of` without end; the n-th is as frequent as 1 / n**s."""
    random = Random(seed)  # noqa: S311  # the same numbers each time
    weights = list(accumulate(n**-s for n in range(1, of + 1)))
    while True:
        yield from random.choices(range(of), cum_weights=weights, k=10_000)
