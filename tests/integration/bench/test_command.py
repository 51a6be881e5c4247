"""`clerkwork bench` as it is typed, with little to do: that it works, not how fast anything is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.environment import ROOT
from tests.bench.figure import LIMIT, NAIVE, OURS
from tests.bench.results import read_results
from tests.debian import find_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.results import Results

EXPERIMENTS = ("ingest", "worker")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What a run in a hurry wrote."""
    find_program("wrk", package="wrk")
    path: Path = tmp_path_factory.mktemp("bench") / "results.json"
    command = ["-m", "deploy", "bench", *EXPERIMENTS, "--quick", f"--json={path}"]
    done = subprocess.run(  # noqa: S603 - our own console
        [sys.executable, *command, f"--out={path.parent}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tried out in a hurry" in done.stdout
    return read_results(path)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_ours_is_measured_beside_the_limit(results: Results, name: str) -> None:
    """Every figure of ours has a number, and there is a limit that it can be a share of."""
    measured = results.find(name)

    assert measured
    for figure in measured.figures:
        # The kernel counts CPU time in steps: so short a run may have had none.
        assert all(value >= 0 for value in measured.of(figure.name, OURS)), figure.name
        assert measured.of(figure.name, OURS), figure.name
    rate = next(figure for figure in measured.figures if figure.name == "rate")
    share = measured.share_of_limit(rate, OURS)
    assert share
    assert 0 < share.median < 2


def test_one_event_after_the_other_is_measured_too(results: Results) -> None:
    """What is usually written is a contestant, whatever came of it."""
    measured = results.find("worker")

    assert measured
    assert measured.of("rate", NAIVE)
    assert measured.of("rate", LIMIT)


def test_the_machine_is_described_without_names(results: Results) -> None:
    """It says what figures depend on, fsync first; not whose machine it is, nor where it lay."""
    assert results.quick
    assert results.machine.postgres["fsync"] == "on"
    assert {"aiohttp", "PostgreSQL", "Kafka"} <= results.machine.versions.keys()
    assert str(ROOT) not in str(results.machine)
