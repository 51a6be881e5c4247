"""`clerkwork bench`: measure, tell, draw and compare."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
import uvloop

from deploy.environment import ROOT
from deploy.errors import OperatorError
from tests.bench.compare import compare, tell_changes
from tests.bench.estimate import tell_estimate
from tests.bench.report import broken_promises, report
from tests.bench.results import read_results
from tests.bench.run import Amount, load_experiments, run_experiments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from tests.bench.results import Results

OUT: Final = ROOT / ".clerkwork/bench"
RUNS: Final = 3
MINUTES: Final = 18.0
"""For everything, unless something is named."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What `clerkwork bench` is asked for."""

    figures: Sequence[str] = ()
    """Names of experiments; all that are not long without any."""

    quick: bool = False
    runs: int | None = None
    minutes: float | None = None
    """For how long at most; each has one run at least."""

    json: Path | None = None
    add: bool = False
    """Keep what `json` has of experiments that are not measured now."""

    compare: Path | None = None
    read: Path | None = None
    """Measure nothing: take what this file has."""

    out: Path = OUT


def bench(wishes: Wishes, console: Console) -> int:
    """Return the exit code: 1 when an experiment failed, or something is worse than before.

    A promise that is not kept is told of and changes nothing: on another machine, or beside
    others, figures are other ones. Raises OperatorError when a file cannot be read.
    """
    before = _read(wishes.compare) if wishes.compare else None
    results = _read(wishes.read) if wishes.read else _measure(wishes, console)
    report(results, console)
    _tell_promises(results, console)
    _draw(results, wishes.out, console)
    worse = tell_changes(compare(before, results), console) if before else 0
    return max(worse, int(any(each.failed for each in results.experiments)))


def _measure(wishes: Wishes, console: Console) -> Results:
    experiments = load_experiments(wishes.figures)
    path = wishes.json or wishes.out / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    earlier = _read(path) if wishes.add and path.exists() else None
    if earlier and earlier.quick is not wishes.quick:
        raise OperatorError(f"{path} is of another kind: in a hurry or not, both must be the same")
    amount = Amount(
        runs=wishes.runs or (1 if wishes.quick else RUNS),
        minutes=wishes.minutes or (float("inf") if wishes.figures else MINUTES),
        quick=wishes.quick,
    )
    console.print(tell_estimate(experiments, amount), markup=False)
    # What services say of each query would be all that one sees.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    results = uvloop.run(
        run_experiments(experiments, amount=amount, path=path, tell=console.print, earlier=earlier)
    )
    console.print(f"written to {path}\n", markup=False)
    return results


def _read(path: Path) -> Results:
    try:
        return read_results(path)
    except (OSError, msgspec.MsgspecError) as error:
        raise OperatorError(f"{path} cannot be read as results of a bench: {error}") from None


def _tell_promises(results: Results, console: Console) -> None:
    if broken := broken_promises(results):
        console.print(f"\nNot what was promised: {', '.join(broken)}", markup=False)


def _draw(results: Results, directory: Path, console: Console) -> None:
    if not importlib.util.find_spec("matplotlib"):
        console.print("\nNo plots: `deploy/run bench` installs what draws them.")
        return
    from tests.bench.plot import plot  # noqa: PLC0415  # see above

    pictures = plot(results, directory)
    console.print(f"\n{len(pictures)} plots in {directory}", markup=False)
