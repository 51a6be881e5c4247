"""The catalogue of metrics keeps Prometheus' rules and its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from prometheus_client import CollectorRegistry

from deploy.document import README
from schema.ops.metrics import BUDGETS, Bound, Metric, Promise, catalogue, new_registry
from schema.ops.metrics.catalogue import PROCESSES
from schema.ops.metrics.declare import Declarations, Declare

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS: Final = [
    pytest.param(process, metric, id=f"{process}-{metric.name}")
    for process, metrics in catalogue().items()
    for metric in metrics
]
BASE_UNITS: Final = ("seconds", "bytes", "info")
"""What a name can end in that has a unit: https://prometheus.io/docs/practices/naming/."""
OTHER_UNITS: Final = re.compile(
    r"_(ms|millis\w*|micros\w*|minutes?|hours?|days?|kb|mb|percent|ratio|count|sum|bucket)(_total)?$"
)
SHOULD_NOT_BE: Final = re.compile(r"_(violations|skipped|lost|found)_total$")
ONE_EACH: Final = re.compile(r"user|event_id|message|offset|email|session_id|request|key|path|ip")
"""Labels with a value of their own for each of what there is without end."""


@pytest.mark.parametrize(("process", "metric"), METRICS)
def test_a_name_says_what_it_counts(process: str, metric: Metric) -> None:
    """Prometheus' rules: a prefix, base units, `_total` for what only grows."""
    del process

    assert re.fullmatch(r"clerkwork(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not OTHER_UNITS.search(metric.name)
    ends = metric.name.removesuffix("_total").rpartition("_")[2]
    assert (metric.unit if metric.unit in BASE_UNITS else "") == (
        ends if ends in {"seconds", "bytes"} else ""
    )
    assert metric.meaning.endswith(".")
    assert metric.unit


@pytest.mark.parametrize(("process", "metric"), METRICS)
def test_no_series_is_one_persons(process: str, metric: Metric) -> None:
    """Labels have few values, known before, or a bound in words and in numbers."""
    del process

    for name, values in metric.labels.items():
        assert not ONE_EACH.search(name)
        assert values.most <= 48 if isinstance(values, Bound) else len(set(values)) == len(values)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_keeps_its_budget(process: str) -> None:
    """Whatever happens, it has no more series than that; what it knows of itself included."""
    of_itself = len(list(_samples(new_registry())))
    most = sum(metric.most for metric in catalogue()[process])

    assert of_itself + most <= BUDGETS[process] <= 1.5 * (of_itself + most)


@pytest.mark.parametrize("process", PROCESSES)
def test_every_closed_series_is_there_from_the_first_scrape(process: str) -> None:
    """So that a rate or an alert needs no first occurrence."""
    registry = Declarations()
    for part in PROCESSES[process]:
        part(registry)
    shown: dict[str, int] = {}
    for name in _samples(registry):
        shown[name] = shown.get(name, 0) + 1

    closed = {
        metric.name: metric.most
        for metric in registry.metrics
        if metric.kind != "histogram"
        and not any(isinstance(values, Bound) for values in metric.labels.values())
    }
    assert {name: shown.get(name, 0) for name in closed} == closed
    assert len(registry.metrics) == len({metric.name for metric in registry.metrics})


@pytest.mark.parametrize("process", PROCESSES)
def test_what_should_not_be_stands_beside_what_was_looked_at(process: str) -> None:
    """0 violations of 0 checked prove nothing."""
    metrics = {metric.name: metric for metric in catalogue()[process]}
    bad = {name for name in metrics if SHOULD_NOT_BE.search(name)}

    assert bad == {name for name, metric in metrics.items() if metric.beside}
    for name in bad:
        beside = metrics[metrics[name].beside or ""]
        assert (beside.kind, beside.unit) == ("counter", metrics[name].unit)


def test_one_name_is_one_metric() -> None:
    """Where several processes have it, it is the same in each but for its closed labels."""
    known: dict[str, tuple[str, str, str, tuple[str, ...]]] = {}
    for metrics in catalogue().values():
        for each in metrics:
            said = (each.kind, each.meaning, each.unit, tuple(each.labels))
            assert known.setdefault(each.name, said) == said


def test_every_promise_is_the_readmes_and_is_guarded() -> None:
    """A metric names the promise in the README's own words."""
    readme = README.read_text(encoding="utf-8")
    guarded = {metric.guards for metrics in catalogue().values() for metric in metrics}

    assert [promise for promise in Promise if f"\n| {promise} | " not in readme] == []
    assert guarded - {None} == set(Promise)


def test_what_waits_has_an_age() -> None:
    """A number that waits says nothing of how long."""
    names = {metric.name for metrics in catalogue().values() for metric in metrics}
    waiting = {
        "clerkwork_lag_records": "clerkwork_lag_seconds",
        "clerkwork_dead_letters": "clerkwork_dead_letter_oldest_seconds",
        "clerkwork_relay_pending_changes": "clerkwork_relay_lag_seconds",
    }

    assert {*waiting, *waiting.values()} <= names


def test_a_bound_label_begins_with_no_series() -> None:
    """Nobody knows its values yet."""
    registry = CollectorRegistry()
    Declare(registry).gauge("clerkwork_a", "A.", labels={"a": ("b",), "c": Bound("what is", 3)})

    assert list(_samples(registry)) == []


def _samples(registry: CollectorRegistry) -> Iterator[str]:
    return (sample.name for family in registry.collect() for sample in family.samples)
