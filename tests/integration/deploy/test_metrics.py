"""What processes show at `/metrics`, as Prometheus' own tool reads it."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from schema.ops.metrics.catalogue import PROCESSES
from schema.ops.metrics.declare import Declarations
from schema.ops.metrics.series import BuildMetrics
from tests.debian import find_program


@pytest.mark.parametrize("process", PROCESSES)
def test_promtool_has_nothing_to_say(process: str) -> None:
    """Names, units, types and help texts are as it asks for."""
    promtool = find_program("promtool", package="prometheus")
    registry = Declarations()
    for part in PROCESSES[process]:
        part(registry)

    found = _check(promtool, generate_latest(registry))
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


def test_promtool_would_say_it() -> None:
    """Else the test above could not fail."""
    promtool = find_program("promtool", package="prometheus")
    registry = CollectorRegistry()
    BuildMetrics(registry)
    bad = generate_latest(registry).replace(b"clerkwork_build_info", b"clerkwork_build_total")

    assert b"non-counter metrics should not have" in _check(promtool, bad).stderr


def _check(promtool: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603  # Debian's program
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False, timeout=20
    )
