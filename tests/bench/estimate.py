"""How long a bench will take, by how long it took when it was last noted."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from deploy.environment import ROOT
from tests.bench.results import read_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.figure import Experiment
    from tests.bench.results import Results
    from tests.bench.run import Amount

NOTED: Final = ROOT / "tests/bench/measured.json"
"""The results that the README tells."""
START_S: Final = 20.0
"""For Kafka and PostgreSQL to come up and to end."""
UNKNOWN_S: Final = 60.0
"""For a run of what was never noted."""
QUICK: Final = 0.35
"""How much of it remains in a hurry: starting and ending everything does."""


def estimate_s(
    experiments: Sequence[Experiment], amount: Amount, *, noted: Results | None
) -> float:
    """Return how long all runs of these will take, in seconds; a guess."""
    once = {each.name: _run_s(each, noted) for each in experiments}
    runs = {each.name: min(amount.runs, each.runs or amount.runs) for each in experiments}
    seconds = START_S + sum(once[name] * runs[name] for name in once)
    if amount.quick:
        return seconds * QUICK
    return max(START_S + sum(once.values()), min(seconds, amount.minutes * 60))


def _run_s(experiment: Experiment, noted: Results | None) -> float:
    found = noted.find(experiment.name) if noted else None
    return median(found.seconds) if found and found.seconds else UNKNOWN_S


def tell_estimate(experiments: Sequence[Experiment], amount: Amount) -> str:
    """Return a sentence of it: what is measured, and for how long."""
    noted = read_results(NOTED) if NOTED.exists() else None
    seconds = estimate_s(experiments, amount, noted=noted)
    names = ", ".join(each.name for each in experiments)
    return f"{names}: about {max(1, round(seconds / 60))} min"
