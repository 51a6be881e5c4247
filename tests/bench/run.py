"""Run experiments: all contestants of each, several times, and write down what comes."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from deploy.errors import OperatorError
from deploy.stack import running_stack
from tests.bench.bench import Bench
from tests.bench.cores import share_cores
from tests.bench.machine import look_at_machine
from tests.bench.results import Results, collect, merge, write_results

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from tests.bench.figure import Curve, Experiment
    from tests.bench.results import Measured


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much of everything there is to do."""

    runs: int
    """Of each experiment, at most."""

    minutes: float = float("inf")
    """After these none begins that would last longer, but the first of each."""

    quick: bool = False


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


@dataclass(kw_only=True)
class _Running:
    """An experiment and what its runs have said so far."""

    experiment: Experiment
    done: list[Mapping[str, Mapping[str, float]]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    curves: Sequence[Curve] = ()
    failed: str | None = None

    def is_due(self, number: int, *, ends: float) -> bool:
        """Tell whether it has a run of this number, for which there is time; always for a first."""
        wanted = not self.failed and number <= (self.experiment.runs or number)
        return wanted and (not self.seconds or time.monotonic() + max(self.seconds) <= ends)

    async def run(self, bench: Bench) -> None:
        """Run it once more; one that fails is told of, and is over."""
        bench.curves.clear()
        begun = time.monotonic()
        try:
            self.done.append(await self.experiment.measure(bench))
        except Exception as error:  # noqa: BLE001  # the others are measured all the same
            traceback.print_exc()
            self.failed = type(error).__name__
        self.seconds.append(round(time.monotonic() - begun, 1))
        self.curves = list(bench.curves)

    def collect(self) -> Measured:
        """Return what came of it."""
        return collect(
            self.experiment,
            self.done,
            curves=self.curves,
            seconds=self.seconds,
            measured_at=now(),
            failed=self.failed,
        )


async def run_experiments(
    experiments: Sequence[Experiment],
    *,
    amount: Amount,
    path: Path,
    tell: Callable[[str], None],
    earlier: Results | None = None,
) -> Results:
    """Return what was measured; what is there after each run is written to `path`.

    All are run once before any is run again: what a machine is for a while meets all of them. With
    `earlier`, what that has of other experiments is kept.
    """
    ends = time.monotonic() + amount.minutes * 60
    async with running_bench(quick=amount.quick) as bench:
        machine = await look_at_machine(
            bench.stack.database_url, data=bench.directory, cores=bench.cores.count
        )
        results = Results(machine=machine, measured_at=now(), quick=amount.quick)
        results = merge(earlier, results) if earlier else results
        every = [_Running(experiment=experiment) for experiment in experiments]
        for number in range(1, amount.runs + 1):
            for each in every:
                if each.is_due(number, ends=ends):
                    tell(f"{each.experiment.name}: run {number}")
                    await each.run(bench)
                    results = merge(results, replace(results, experiments=(each.collect(),)))
                    write_results(results, path)
    return results


def now() -> str:
    """Return the time as it is written down."""
    return datetime.now(UTC).isoformat(timespec="seconds")
