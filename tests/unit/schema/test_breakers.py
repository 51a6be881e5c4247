"""Circuit breakers: when they refuse, and what closes them."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Gauge

from schema.ops.breakers import THRESHOLD, Breaker, BreakerOpenError
from schema.ops.metrics.breakers import new_breaker_gauge


class AwayError(Exception):
    """The dependency does not answer."""


class RefusedError(Exception):
    """The dependency answers, and says no."""


class BusyError(Exception):
    """It was never asked."""


def judge(error: Exception) -> bool | None:
    """Say what each of them tells."""
    return None if isinstance(error, BusyError) else isinstance(error, AwayError)


@pytest.fixture
def gauge() -> Gauge:
    """Return what shows the state."""
    return new_breaker_gauge(CollectorRegistry(), "database")


def new_breaker(gauge: Gauge, *, open_s: float = 60.0) -> Breaker:
    """Return a closed breaker."""
    return Breaker("database", open_s=open_s, judge=judge, gauge=gauge)


def fail(breaker: Breaker, error: Exception, *, times: int = 1) -> None:
    """Let calls end with `error`."""
    for _ in range(times):
        with pytest.raises(type(error)), breaker.guard():
            raise error


def test_after_a_few_failures_nobody_is_asked(gauge: Gauge) -> None:
    """It shows; and it opens with the last of them, no earlier."""
    breaker = new_breaker(gauge)
    fail(breaker, AwayError(), times=THRESHOLD - 1)
    assert gauge.labels("database")._value.get() == 0

    fail(breaker, AwayError())

    assert breaker.is_open
    assert gauge.labels("database")._value.get() == 1
    with pytest.raises(BreakerOpenError), breaker.guard():
        pytest.fail("the call was made")


@pytest.mark.parametrize(("between", "opens"), [(RefusedError(), False), (BusyError(), True)])
def test_only_an_answer_ends_a_row_of_failures(
    gauge: Gauge, between: Exception, *, opens: bool
) -> None:
    """An error is an answer too; what was never asked tells nothing."""
    breaker = new_breaker(gauge)
    fail(breaker, AwayError(), times=THRESHOLD - 1)

    fail(breaker, between)
    fail(breaker, AwayError())

    assert breaker.is_open is opens


async def test_one_call_finds_out_whether_it_is_back(gauge: Gauge) -> None:
    """The others are refused meanwhile, and let through once it has answered."""
    breaker = new_breaker(gauge, open_s=0.0)
    fail(breaker, AwayError(), times=THRESHOLD)
    await asyncio.sleep(0.001)  # until the clock has moved on

    with breaker.guard(), pytest.raises(BreakerOpenError), breaker.guard():
        pytest.fail("a second call was made")

    assert not breaker.is_open
    assert gauge.labels("database")._value.get() == 0


@pytest.mark.parametrize("error", [BusyError(), AwayError()])
async def test_a_probe_that_learns_nothing_leaves_it_to_the_next(
    gauge: Gauge, error: Exception
) -> None:
    """Nor does one that fails close it; each lets another try."""
    breaker = new_breaker(gauge, open_s=0.0)
    fail(breaker, AwayError(), times=THRESHOLD)
    await asyncio.sleep(0.001)  # until the clock has moved on

    fail(breaker, error)
    assert breaker.is_open
    await asyncio.sleep(0.001)

    with breaker.guard():
        pass
    assert not breaker.is_open


async def test_a_probe_that_is_cancelled_leaves_it_to_the_next(gauge: Gauge) -> None:
    """Whoever asked went away; that says nothing."""
    breaker = new_breaker(gauge, open_s=0.0)
    fail(breaker, AwayError(), times=THRESHOLD)
    await asyncio.sleep(0.001)  # until the clock has moved on

    with pytest.raises(asyncio.CancelledError), breaker.guard():
        raise asyncio.CancelledError

    assert breaker.is_open
    with breaker.guard():
        pass
    assert not breaker.is_open
