"""Prometheus' own tool finds nothing wrong, and every alert fires and clears as its tests say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import yaml

from deploy.environment import ROOT
from tests.debian import find_program

if TYPE_CHECKING:
    from pathlib import Path

HERE = ROOT / "deploy/prometheus"


async def promtool(*words: object) -> tuple[int, str]:
    """Return the exit code of `promtool`, and what it says."""
    process = await asyncio.create_subprocess_exec(
        find_program("promtool", package="prometheus"),
        *map(str, words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_the_configuration_and_its_rules_are_valid() -> None:
    """What Prometheus would refuse at its start."""
    code, said = await promtool("check", "config", HERE / "prometheus.yml")

    assert code == 0, said
    assert f"{len(list(HERE.glob('rules/*.yml')))} rule files found" in said


@pytest.mark.parametrize("name", [path.stem for path in sorted(HERE.glob("tests/*.yml"))])
async def test_every_alert_is_silent_below_its_threshold_fires_and_clears(name: str) -> None:
    """With these labels and these words."""
    code, said = await promtool("test", "rules", HERE / f"tests/{name}.yml")

    assert code == 0, said


async def test_a_threshold_that_moved_is_found(tmp_path: Path) -> None:
    """The tests of the rules can fail."""
    rules = (HERE / "rules/resources.yml").read_text("utf-8")
    moved = rules.replace("ledger_months_ahead) < 2", "ledger_months_ahead) < 3")
    (tmp_path / "resources.yml").write_text(moved, "utf-8")
    tests = yaml.safe_load((HERE / "tests/days.yml").read_text("utf-8"))
    tests["rule_files"] = ["resources.yml"]
    tests["tests"] = [test for test in tests["tests"] if "LedgerMonthsShort" in test["name"]]
    (tmp_path / "days.yml").write_text(yaml.safe_dump(tests), "utf-8")

    code, said = await promtool("test", "rules", tmp_path / "days.yml")

    assert code == 1
    assert "ClerkworkLedgerMonthsShort" in said
