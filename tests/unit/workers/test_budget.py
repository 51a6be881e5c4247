"""Where the time of a consumer's loop goes: all of it, and to each moment one share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from schema.ops.metrics import LOOP_STEPS, WorkerMetrics
from workers.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass."""
    now_s = 1000.0

    def go_on(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    monkeypatch.setattr("workers.budget.time.monotonic", lambda: now_s)
    return go_on


@pytest.fixture
def registry() -> CollectorRegistry:
    """Where the metrics of this test are."""
    return CollectorRegistry()


@pytest.fixture
def budget(registry: CollectorRegistry, turn: Callable[[float], None]) -> Budget:
    """A budget that begins now."""
    del turn  # the clock has to stand first
    return Budget(WorkerMetrics(registry).loop_seconds)


def _spent(registry: CollectorRegistry) -> dict[str, float]:
    name = "clerkwork_loop_seconds_total"
    found = {s: registry.get_sample_value(name, {"step": s}) or 0.0 for s in LOOP_STEPS}
    return {step: seconds for step, seconds in found.items() if seconds}


def test_time_goes_to_the_step_it_is_spent_on(
    budget: Budget, registry: CollectorRegistry, turn: Callable[[float], None]
) -> None:
    """And between steps to what the loop rests in."""
    turn(5)
    budget.rest("apply")
    turn(1)
    with budget.spend("park"):
        turn(2)
    budget.rest("commit")
    turn(3)
    budget.rest("fetch")
    turn(7)
    budget.settle()

    assert _spent(registry) == {"fetch": 12, "apply": 1, "park": 2, "commit": 3}


def test_what_is_done_at_once_shares_the_time(
    budget: Budget, registry: CollectorRegistry, turn: Callable[[float], None]
) -> None:
    """Two lanes apply while a third decodes: the sum stays the time that passed."""
    with budget.spend("apply"):
        turn(2)
        with budget.spend("apply"), budget.spend("decode"):
            turn(6)

    assert _spent(registry) == {"apply": 6, "decode": 2}


def test_a_step_that_fails_is_over(
    budget: Budget, registry: CollectorRegistry, turn: Callable[[float], None]
) -> None:
    """What comes after an error is not counted as it."""

    def fail() -> None:
        with budget.spend("wait"):
            turn(4)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    turn(1)
    budget.settle()

    assert _spent(registry) == {"wait": 4, "fetch": 1}
