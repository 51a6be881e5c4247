"""What a bench makes of its samples: shares, promises, comparisons, files, pictures."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from deploy.environment import ROOT
from deploy.errors import OperatorError
from tests.bench.command import Wishes, bench
from tests.bench.compare import compare, judge, tell_changes
from tests.bench.estimate import START_S, estimate_s
from tests.bench.figure import LIMIT, NAIVE, OURS, Curve, Experiment, Figure, Promise
from tests.bench.machine import Machine
from tests.bench.readme import ROWS, measured_table
from tests.bench.report import broken_promises, report, show
from tests.bench.results import Results, collect, merge, read_results, write_results
from tests.bench.run import Amount, experiment_names, load_experiments
from tests.bench.spread import Spread, spread_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.bench.bench import Bench

MACHINE = Machine(
    cpu="Difference Engine",
    cores=2,
    memory_gb=1,
    kernel="Linux",
    filesystem="ext4",
    python="3.11",
    versions={"aiohttp": "3"},
    postgres={"fsync": "on"},
)
RATE = Figure(
    name="rate",
    says="how many",
    unit="/s",
    promises=(Promise(bound=0.35), Promise(bound=9, of=None)),
)
WAIT = Figure(
    name="wait", says="how long", unit="ms", better="less", promises=(Promise(bound=25, of=None),)
)


async def _nothing(_bench: Bench) -> Mapping[str, Mapping[str, float]]:
    return {}


EXPERIMENT = Experiment(
    name="fake",
    says="Nothing is done.",
    contestants={LIMIT: "the limit", OURS: "ours", NAIVE: "theirs"},
    figures=(RATE, WAIT),
    measure=_nothing,
)


def make_results(
    *ours: float, limit: float = 100.0, wait: float = 10.0, failed: str | None = None
) -> Results:
    """Return what runs say in which ours are so fast."""
    runs = [{LIMIT: {"rate": limit}, OURS: {"rate": rate, "wait": wait}} for rate in ours]
    curve = Curve(figure="memory", series=OURS, x="s", y="MB", points=[(0.0, 1.0), (1.0, 2.0)])
    measured = collect(EXPERIMENT, runs, curves=[curve], failed=failed)
    return Results(machine=MACHINE, measured_at="2026-01-01", quick=False, experiments=(measured,))


def said_of(results: Results) -> str:
    """Return the report."""
    said = io.StringIO()
    report(results, Console(file=said, width=200))
    return said.getvalue()


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_a_spread_holds_every_run(samples: list[float]) -> None:
    """The median lies between the least and the most, and every run does."""
    spread = spread_of(samples)

    assert spread.low <= spread.median <= spread.high
    assert all(spread.low <= each <= spread.high for each in samples)


def test_shares_are_of_the_limit_of_the_same_run() -> None:
    """A machine that is twice as fast in one of the runs changes no share."""
    runs = [{LIMIT: {"rate": 100.0 * n}, OURS: {"rate": 40.0 * n}} for n in (1, 2, 5)]

    share = collect(EXPERIMENT, runs).share(RATE, OURS, LIMIT)

    assert share == Spread(median=0.4, low=0.4, high=0.4)


def test_where_less_is_better_a_share_says_how_near_too() -> None:
    """Who needs twice as long is half as good."""
    assert WAIT.share(20, 10) == 0.5
    assert RATE.share(20, 10) == 2.0


def test_what_was_not_measured_has_no_share() -> None:
    """A contestant without a figure leaves no line, and one that was broken off no share."""
    measured = make_results(40).experiments[0]

    assert measured.share(WAIT, OURS, LIMIT) is None
    assert NAIVE not in said_of(make_results(40)).partition("promise")[2]


def test_the_report_tells_whether_promises_are_kept() -> None:
    """A share, a least and a most are each held against what was measured."""
    kept, broken = make_results(40, 38, 44), make_results(30, 30, 8, wait=30)

    assert broken_promises(kept) == []
    assert broken_promises(broken) == ["fake.rate", "fake.wait"]
    assert "≥ 0.35 kept; ≥ 9 kept" in said_of(kept)
    assert "≥ 0.35 BROKEN; ≥ 9 kept" in said_of(broken)
    assert "≤ 25 BROKEN" in said_of(broken)
    assert "0.40 (0.38 to 0.44)" in said_of(kept)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.01234, "0.0123"), (1.5, "1.5"), (99.96, "100"), (12345, "12,345")],
)
def test_numbers_have_three_digits_that_count(value: float, shown: str) -> None:
    """More of them would be noise."""
    assert show(value) == shown


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        ((40, 41, 42), "same"),
        ((39, 44, 50), "same"),  # some runs are as they were
        ((42.1, 42.2, 42.3), "same"),  # nothing to speak of
        ((50, 51, 52), "better"),
        ((30, 31, 32), "worse"),
    ],
)
def test_compare_tells_changes_from_noise(now: tuple[float, ...], verdict: str) -> None:
    """Better or worse is what no run of the other could have been; worse ends with exit code 1."""
    changes = compare(make_results(40, 41, 42), make_results(*now))

    rate = next(each for each in changes if each.name == f"fake.rate {OURS}")
    assert (rate.verdict, rate.of_limit) == (verdict, True)
    assert tell_changes(changes, Console(file=io.StringIO())) == int(verdict == "worse")


def test_a_slower_machine_makes_nothing_worse() -> None:
    """Where there is a limit, shares are compared."""
    changes = compare(make_results(40, 41, limit=100), make_results(20, 20.5, limit=50))

    assert {each.verdict for each in changes} == {"same"}


def test_without_a_limit_values_are_compared() -> None:
    """Longer is worse where less is better."""
    changes = compare(make_results(40, 40), make_results(40, 40, wait=20))

    assert [each.verdict for each in changes] == ["same", "worse"]
    assert judge(spread_of([20]), spread_of([10]), more_is_better=False) == "better"


def test_what_one_of_them_has_not_measured_is_not_compared() -> None:
    """An experiment that is new has nothing to be held against."""
    assert compare(msgspec.structs.replace(make_results(40), experiments=()), make_results(1)) == []


def test_a_file_holds_everything(tmp_path: Path) -> None:
    """Results that are written and read are the same, figures and curves included."""
    results = make_results(40, 41.5)

    write_results(results, tmp_path / "new/results.json")

    assert said_of(read_results(tmp_path / "new/results.json")) == said_of(results)
    assert read_results(tmp_path / "new/results.json") == msgspec.convert(
        msgspec.to_builtins(results), Results
    )


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """The message says which."""
    path = tmp_path / "results.json"
    path.write_text("{}")

    with pytest.raises(OperatorError, match=r"results\.json cannot be read"):
        bench(Wishes(read=path), Console(file=io.StringIO()))


@pytest.mark.parametrize(
    ("old", "failed", "code"), [(40, None, 0), (90, None, 1), (40, "Error", 1)]
)
def test_earlier_results_are_told_and_compared(
    tmp_path: Path, old: float, failed: str | None, code: int
) -> None:
    """Nothing is measured; what is worse, or was broken off, ends with exit code 1."""
    before, now = tmp_path / "before.json", tmp_path / "now.json"
    write_results(make_results(old), before)
    write_results(make_results(40, failed=failed), now)
    said = io.StringIO()

    wishes = Wishes(read=now, compare=before, out=tmp_path / "out")
    assert bench(wishes, Console(file=said, width=200)) == code

    assert "Difference Engine" in said.getvalue()
    assert ("worse" in said.getvalue()) is (old == 90)


def test_pictures_are_the_same_each_time(tmp_path: Path) -> None:
    """One for each figure and one for the curves of a name; nothing in them depends on the day."""
    pytest.importorskip("matplotlib", reason="only `deploy/run bench` installs it")
    from tests.bench.plot import plot  # noqa: PLC0415  # see above

    first, second = (plot(make_results(40, 42), tmp_path / name) for name in ("one", "two"))

    assert [path.name for path in first] == [
        "fake-rate.svg",
        "fake-wait.svg",
        "fake-memory-curve.svg",
    ]
    assert [path.read_text() for path in first] == [path.read_text() for path in second]


def test_every_experiment_can_be_chosen() -> None:
    """Each is called as its module is, and what it says is whole; others are refused by name."""
    names = experiment_names()
    for name, experiment in zip(names, load_experiments(names), strict=True):
        figures = [figure.name for figure in experiment.figures]
        assert experiment.name == name
        assert len(figures) == len(set(figures))
        for promise in (each for figure in experiment.figures for each in figure.promises):
            assert {promise.who, promise.of} - {None} <= experiment.contestants.keys()

    with pytest.raises(OperatorError, match=r"no figures speed; there are: .*ingest"):
        load_experiments(["speed"])


def test_what_takes_long_is_measured_when_it_is_named() -> None:
    """Whoever names nothing has not asked for a quarter of an hour."""
    assert not [each.name for each in load_experiments(()) if each.long]
    assert [each.name for each in load_experiments(["backlog"])] == ["backlog"]


def test_what_is_not_measured_again_is_kept() -> None:
    """Earlier results of others stay; those of the same experiment are replaced."""
    other = msgspec.structs.replace(make_results(1).experiments[0], name="other")
    earlier, now = make_results(40), make_results(50)

    merged = merge(msgspec.structs.replace(earlier, experiments=(other, *earlier.experiments)), now)

    assert [each.name for each in merged.experiments] == ["fake", "other"]
    assert merged.find("fake") == now.find("fake")


def test_results_of_a_hurry_are_not_mixed_with_others(tmp_path: Path) -> None:
    """They mean nothing, and would stand beside what does."""
    write_results(make_results(40), tmp_path / "results.json")

    with pytest.raises(OperatorError, match="of another kind"):
        bench(
            Wishes(json=tmp_path / "results.json", add=True, quick=True),
            Console(file=io.StringIO()),
        )


def test_an_estimate_is_of_what_runs_took() -> None:
    """An experiment takes as long as it did, others a minute; no longer than is asked for."""
    fake = make_results(40).experiments[0]
    noted = msgspec.structs.replace(
        make_results(40), experiments=[msgspec.structs.replace(fake, seconds=[100, 300, 110])]
    )

    def estimate(amount: Amount, noted: Results | None = noted) -> float:
        return estimate_s([EXPERIMENT], amount, noted=noted) - START_S

    assert estimate(Amount(runs=3)) == 330
    assert estimate(Amount(runs=3), None) == 180
    assert estimate(Amount(runs=9, minutes=10)) == 600 - START_S
    assert estimate(Amount(runs=9, minutes=1)) == 110


def test_the_readme_tells_of_what_was_measured() -> None:
    """A row for each figure that there is, of an experiment that can be run; no other rows."""
    ours = msgspec.structs.replace(make_results(40).experiments[0], name="ingest", figures=(RATE,))
    results = msgspec.structs.replace(make_results(40), experiments=(ours,))

    told = measured_table(results).splitlines()[2:]

    assert len(told) == 1
    assert "| 40 /s | 0.40 | ≥ 0.35 of limit, is 0.40: kept; ≥ 9 /s: kept |" in told[0]


def test_rows_of_the_readme_are_figures() -> None:
    """Each names an experiment, one of its figures and one of its contestants."""
    for row in (row for row in ROWS if row.experiment in experiment_names()):
        (experiment,) = load_experiments([row.experiment])
        assert row.figure in {figure.name for figure in experiment.figures}
        assert row.who in experiment.contestants


def test_help_does_not_wait_for_the_bench() -> None:
    """What measures is imported by the command."""
    code = "import sys, deploy.console; print([n for n in sys.modules if n.startswith('tests')])"

    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout == "[]\n"
