"""What the workers' number follows in a cluster, as Prometheus answers it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.debian import find_program
from tests.manifests import overlay

if TYPE_CHECKING:
    from pathlib import Path

LAG = 'clerkwork_lag_seconds{{topic="{topic}",partition="3",instance="{worker}"}}'
WAITING = 'clerkwork_worker_waiting{{instance="{worker}"}}'
EVENTS = "clerk.user-events"


def lag(seconds: float, *, topic: str = EVENTS, worker: str = "w1") -> dict[str, str]:
    """Return a series of a partition's lag."""
    return {"series": LAG.format(topic=topic, worker=worker), "values": f"{seconds}x9"}


def waiting(batches: int, *, worker: str = "w1") -> dict[str, str]:
    """Return a series of how many batches wait in place."""
    return {"series": WAITING.format(worker=worker), "values": f"{batches}x9"}


@pytest.mark.parametrize(
    ("series", "answer"),
    [
        ([lag(40), lag(7, worker="w2"), waiting(0), waiting(0, worker="w2")], 40),
        ([lag(0), waiting(0)], 0),
        ([lag(3), lag(599, topic=f"{EVENTS}.retry.10m"), waiting(0)], 3),
        ([lag(3600), waiting(0), waiting(1, worker="w2")], 15),
        ([], 15),
    ],
    ids=["behind", "idle", "retries wait", "database away", "nothing is known"],
)
def test_the_number_of_workers_follows_the_oldest_event(
    series: list[dict[str, str]], answer: float, tmp_path: Path
) -> None:
    """While a batch waits in place, or nothing is known, it is the threshold: as many stay."""
    triggers = overlay("production").of_kind("ScaledObject")["worker"]["spec"]["triggers"]
    case = {
        "expr": triggers[0]["metadata"]["query"],
        "eval_time": "5m",
        "exp_samples": [{"labels": "{}", "value": answer}],
    }
    test = {"input_series": series, "interval": "1m", "promql_expr_test": [case]}
    (tmp_path / "query.yml").write_text(yaml.safe_dump({"tests": [test]}), "utf-8")

    said = subprocess.run(  # noqa: S603  # a fixed command, a file of ours
        (find_program("promtool", package="prometheus"), "test", "rules", tmp_path / "query.yml"),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert said.returncode == 0, said.stdout + said.stderr
