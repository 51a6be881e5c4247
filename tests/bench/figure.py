"""What is measured: figures, what they promise, and the experiments that find them out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from tests.bench.bench import Bench

LIMIT: Final = "limit"
"""Who shows what the machine can do: nothing is checked, kept or promised."""
OURS: Final = "clerkwork"
"""Everything on."""
NAIVE: Final = "naive"
"""What is usually written instead."""

Values = Mapping[str, float]
"""Name of a figure -> what one contestant made of it in one run."""
Measure = Callable[["Bench"], Awaitable[Mapping[str, Values]]]
"""One run of an experiment, each contestant warmed up first: contestant -> values."""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure must be: a share of another contestant's in the same run, or a bound."""

    bound: float
    """The least where more is better, the most where less is; of a share, always the least."""

    of: str | None = LIMIT
    """Whose share; None for a bound in the figure's own unit."""

    who: str = OURS
    """Of whom it is promised."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number about something, found out several times."""

    name: str
    """Such as `rate`; unique in its experiment."""

    says: str
    """What it is, in one sentence."""

    unit: str
    better: Literal["more", "less"] = "more"
    promises: tuple[Promise, ...] = ()
    of_limit: bool = True
    """Whether the limit has such a figure too, to be a share of."""

    def share(self, value: float, of: float) -> float:
        """Return how near a value comes to another one: 1 is as good, 0.5 half as good."""
        part, whole = (value, of) if self.better == "more" else (of, value)
        return part / whole if whole else 0.0

    def within(self, value: float, bound: float) -> bool:
        """Tell whether a value keeps a bound in the figure's own unit."""
        return value >= bound if self.better == "more" else value <= bound


CORE: Final = Figure(
    name="core",
    says="share of its core that the server had; with less than 100 it was not the limit",
    unit="%",
    of_limit=False,
)
MEMORY: Final = Figure(
    name="memory", says="resident memory afterwards", unit="MB", better="less", of_limit=False
)


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Something that moves while it is measured, such as memory over time; only drawn."""

    figure: str
    """Its name; curves of the same name are drawn into one plot."""

    series: str
    """Whose it is."""

    x: str
    """What lies on the horizontal axis, with its unit."""

    y: str
    points: Sequence[tuple[float, float]]
    """At most some hundreds."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Contestants who do the same work on the same machine, one after the other."""

    name: str
    """That of its module in `tests/bench/figures`."""

    says: str
    """What is done, in a sentence or two."""

    contestants: Mapping[str, str]
    """Name -> what it is; those called LIMIT, OURS and NAIVE mean the same everywhere."""

    figures: tuple[Figure, ...]
    measure: Measure
    runs: int | None = None
    """At most so many runs, of what takes long; None for as many as are asked for."""

    long: bool = False
    """Whether it takes minutes, and is only measured when it is named."""
