"""Run experiments: all contestants of each, several times, and write down what comes."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from deploy.errors import OperatorError
from deploy.stack import running_stack
from tests.bench.bench import Bench, share_cores
from tests.bench.machine import look_at_machine
from tests.bench.results import Results, collect, merge, write_results

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from tests.bench.figure import Curve, Experiment
    from tests.bench.results import Measured

FIGURES: Final = Path(__file__).with_name("figures")


def experiment_names() -> Sequence[str]:
    """Return the names of all experiments: each is a module that has an EXPERIMENT."""
    return sorted(path.stem for path in FIGURES.glob("[!_]*.py"))


def load_experiments(names: Sequence[str]) -> Sequence[Experiment]:
    """Return the experiments of these names, without any all that are not long.

    Raises OperatorError of names that there are not.
    """
    known = experiment_names()
    if unknown := sorted(set(names) - set(known)):
        raise OperatorError(f"no figures {', '.join(unknown)}; there are: {', '.join(known)}")
    found: list[Experiment] = [
        importlib.import_module(f"tests.bench.figures.{name}").EXPERIMENT for name in names or known
    ]
    return [each for each in found if names or not each.long]


@contextlib.asynccontextmanager
async def running_bench(*, quick: bool) -> AsyncIterator[Bench]:
    """Have a Kafka and a PostgreSQL beside the server's core, with topics and tables."""
    cores = share_cores()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores.rest)  # whoever is started inherits it
    try:
        with (
            tempfile.TemporaryDirectory(
                prefix="clerkwork-bench-", ignore_cleanup_errors=True
            ) as name,
            running_stack(data=Path(name)) as stack,
        ):
            bench = Bench(stack=stack, directory=Path(name) / "logs", quick=quick, cores=cores)
            await bench.prepare()
            yield bench
    finally:
        os.sched_setaffinity(0, allowed)


async def run_experiments(
    experiments: Sequence[Experiment],
    *,
    runs: int,
    quick: bool,
    path: Path,
    tell: Callable[[str], None],
    earlier: Results | None = None,
) -> Results:
    """Return what was measured; what is there after each experiment is written to `path`.

    With `earlier`, what that has of other experiments is kept. An experiment that fails is
    told of and does not keep the others from being run.
    """
    async with running_bench(quick=quick) as bench:
        machine = await look_at_machine(
            bench.stack.database_url, data=bench.directory, cores=bench.cores.count
        )
        results = Results(machine=machine, measured_at=now(), quick=quick)
        results = merge(earlier, results) if earlier else results
        for experiment in experiments:
            count = min(runs, experiment.runs or runs)
            measured = await _run(experiment, bench, runs=count, tell=tell)
            results = merge(results, replace(results, experiments=(measured,)))
            write_results(results, path)
    return results


async def _run(
    experiment: Experiment, bench: Bench, *, runs: int, tell: Callable[[str], None]
) -> Measured:
    done: list[Mapping[str, Mapping[str, float]]] = []
    seconds: list[float] = []
    curves: list[Curve] = []
    failed = None
    for number in range(1, runs + 1):
        tell(f"{experiment.name}: run {number} of {runs}")
        bench.curves.clear()
        begun = time.perf_counter()
        try:
            done.append(await experiment.measure(bench))
        except Exception as error:  # noqa: BLE001  # the others are measured all the same
            traceback.print_exc()
            failed = type(error).__name__
            break
        seconds.append(round(time.perf_counter() - begun, 1))
        curves = list(bench.curves)
    return collect(
        experiment, done, curves=curves, seconds=seconds, measured_at=now(), failed=failed
    )


def now() -> str:
    """Return the time as it is written down."""
    return datetime.now(UTC).isoformat(timespec="seconds")
