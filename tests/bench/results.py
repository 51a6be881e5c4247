"""What was measured, as it is written to a file and read from an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from tests.bench.figure import LIMIT, Curve, Experiment, Figure
from tests.bench.machine import Machine
from tests.bench.spread import Spread, shares_of, spread_of

if TYPE_CHECKING:
    from pathlib import Path

Samples = Mapping[str, Mapping[str, Sequence[float]]]
"""Figure -> contestant -> one number for each run."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an experiment."""

    name: str
    says: str
    contestants: Mapping[str, str]
    figures: Sequence[Figure]
    samples: Samples
    curves: Sequence[Curve] = ()
    """Those of the last run."""

    seconds: Sequence[float] = ()
    """How long each run took, with all that it starts."""

    measured_at: str = ""
    """ISO 8601."""

    failed: str | None = None
    """What kind of error broke it off."""

    def of(self, figure: str, contestant: str) -> Sequence[float]:
        """Return the samples; none where the contestant has no such figure."""
        return self.samples.get(figure, {}).get(contestant, ())

    def share(self, figure: Figure, contestant: str, of: str) -> Spread | None:
        """Return how near a contestant comes to another one, None unless both were measured."""
        ours, theirs = self.of(figure.name, contestant), self.of(figure.name, of)
        if not ours or len(ours) != len(theirs):
            return None
        return spread_of(shares_of(figure, ours, theirs))

    def share_of_limit(self, figure: Figure, contestant: str) -> Spread | None:
        """Return how near a contestant comes to the limit, None where that says nothing."""
        compared = figure.of_limit and contestant != LIMIT
        return self.share(figure, contestant, LIMIT) if compared else None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured on one machine, one time."""

    machine: Machine
    measured_at: str
    """ISO 8601."""

    quick: bool
    """Whether it was only tried out: then nothing is meant by the figures."""

    experiments: Sequence[Measured] = ()

    def find(self, name: str) -> Measured | None:
        """Return what came of the experiment of this name."""
        return next((each for each in self.experiments if each.name == name), None)


def collect(
    experiment: Experiment,
    runs: Sequence[Mapping[str, Mapping[str, float]]],
    *,
    curves: Sequence[Curve] = (),
    seconds: Sequence[float] = (),
    measured_at: str = "",
    failed: str | None = None,
) -> Measured:
    """Return what the runs say, each of them contestant -> figure -> value."""
    samples: dict[str, dict[str, list[float]]] = {each.name: {} for each in experiment.figures}
    for run in runs:
        for contestant, values in run.items():
            for figure, value in values.items():
                samples[figure].setdefault(contestant, []).append(float(value))
    return Measured(
        name=experiment.name,
        says=experiment.says,
        contestants=experiment.contestants,
        figures=experiment.figures,
        samples=samples,
        curves=curves,
        seconds=seconds,
        measured_at=measured_at,
        failed=failed,
    )


def merge(earlier: Results, now: Results) -> Results:
    """Return what is now, and of the earlier results what was not measured again."""
    again = {each.name for each in now.experiments}
    kept = [each for each in earlier.experiments if each.name not in again]
    every = sorted([*kept, *now.experiments], key=attrgetter("name"))
    return msgspec.structs.replace(now, experiments=every)


def write_results(results: Results, path: Path) -> None:
    """Write them in one step, so that nobody finds half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    new.replace(path)


def read_results(path: Path) -> Results:
    """Return what was written; raise OSError or msgspec.MsgspecError when it cannot be read."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
