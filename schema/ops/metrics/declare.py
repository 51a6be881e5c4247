"""Declare metrics: what prometheus_client needs, and what the catalogue says of them besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypedDict, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from schema.ops.metrics.durations import Durations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Unpack

    from schema.ops.metrics.promises import Promise

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
"""Buckets for what takes a moment."""

Kind = Literal["counter", "gauge", "histogram"]

# A second series for each counter, to say what `process_start_time_seconds` says.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations


class Bound(NamedTuple):
    """What a label can say where only the running system knows: in words, and how much at most."""

    words: str
    most: int


Values = tuple[str, ...] | Bound
Labels = Mapping[str, Values]
"""Label -> every value that it can have, or its bound."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is known of a metric before anything is measured."""

    name: str
    """A histogram's without `_bucket`."""
    kind: Kind
    meaning: str
    unit: str
    """`seconds` or `bytes`, else what is counted; `0 or 1` for a state."""
    labels: Labels
    guards: Promise | None
    """The promise that it guards, if it does."""
    beside: str | None
    """For a count of what should not be: the counter of what was looked at."""
    most: int
    """It has so many series at most; buckets, sum and count of a histogram are one each."""


class Declarations(CollectorRegistry):
    """A registry that also notes what is declared in it: for the catalogue."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[Metric] = []


class About(TypedDict, total=False):
    """What may be said of a metric besides its name and its meaning."""

    unit: str
    """What is counted; of seconds and bytes the name tells."""
    labels: Labels
    only: Sequence[tuple[str, ...]]
    """The combinations of label values that there can be, where they are not all."""
    guards: Promise
    beside: str


class Declare:
    """Declares the metrics of one registry.

    Where every value of every label is known, all series are there from the first scrape, at 0.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, meaning: str, **about: Unpack[About]) -> Counter:
        """Declare what only grows; the name ends in `_total`."""
        self._note(name, meaning, about, kind="counter")
        labels = tuple(about.get("labels", ()))
        return _begin(Counter(name, meaning, labels, registry=self._registry), about)

    def gauge(self, name: str, meaning: str, **about: Unpack[About]) -> Gauge:
        """Declare what rises and falls."""
        self._note(name, meaning, about, kind="gauge")
        labels = tuple(about.get("labels", ()))
        return _begin(Gauge(name, meaning, labels, registry=self._registry), about)

    def histogram(
        self,
        name: str,
        meaning: str,
        *,
        buckets: Sequence[float] = SECONDS,
        **about: Unpack[About],
    ) -> Histogram:
        """Declare what is spread; its series begin with their first observation."""
        self._note(name, meaning, about, kind="histogram", buckets=len(buckets))
        labels = tuple(about.get("labels", ()))
        return Histogram(name, meaning, labels, registry=self._registry, buckets=buckets)

    def durations(self, name: str, meaning: str, **about: Unpack[About]) -> Durations:
        """Declare a histogram of seconds that one thread observes, a tenth as dear."""
        self._note(name, meaning, about, kind="histogram", buckets=len(SECONDS))
        labels = tuple(about.get("labels", ()))
        return Durations(name, meaning, labels, registry=self._registry, buckets=SECONDS)

    def _note(self, name: str, meaning: str, about: About, *, kind: Kind, buckets: int = 0) -> None:
        if not isinstance(self._registry, Declarations):
            return
        labels = about.get("labels", {})
        sizes = (v.most if isinstance(v, Bound) else len(v) for v in labels.values())
        sets = len(about.get("only", ())) or prod(sizes)
        self._registry.metrics.append(
            Metric(
                name=name,
                kind=kind,
                meaning=meaning,
                unit=about.get("unit", "") or _unit(name),
                labels=labels,
                guards=about.get("guards"),
                beside=about.get("beside"),
                most=sets * (buckets + 3 if kind == "histogram" else 1),
            )
        )


MetricT = TypeVar("MetricT", Counter, Gauge)


def _begin(metric: MetricT, about: About) -> MetricT:
    for values in about.get("only", ()) or _combine(about.get("labels", {}).values()):
        metric.labels(*values)
    return metric


def _combine(labels: Collection[Values]) -> Iterable[tuple[str, ...]]:
    """Return every combination of values; none where a label's are not known, or without labels."""
    known = [values for values in labels if not isinstance(values, Bound)]
    return product(*known) if known and len(known) == len(labels) else ()


def _unit(name: str) -> str:
    words = name.removesuffix("_total").split("_")
    return next((unit for unit in ("seconds", "bytes") if unit == words[-1]), "")
