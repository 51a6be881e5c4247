"""Write the page of metrics from the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.ops.metrics import BUDGETS, Bound, Promise, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schema.ops.metrics import Metric

_INTRODUCTION: Final = """\
# Metrics

Every process shows at `/metrics` what it counts, for Prometheus; and what `prometheus_client`
knows of a process: `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_open_fds`, `process_max_fds`, `process_start_time_seconds`, `python_info`.

Labels have closed sets of values: every series is there from the first scrape, at 0, so that rates
and alerts need no first occurrence. Where only the running system knows the values, it says what
they are and how many there can be. No label is a user's, an event's or a message's. What should not
be stands beside what was looked at: 0 violations of 0 checked prove nothing.

Of several processes of a kind, add up counters and histograms. What a worker or a relay tells of
the database is the whole, told by each: take the greatest."""

_HEAD: Final = "| metric | type | labels | meaning | unit | guards |\n|---|---|---|---|---|---|"


def write_metrics() -> str:
    """Return every metric, who shows it, and which promise of the README it guards."""
    parts = [_INTRODUCTION]
    for processes, metrics in _by_processes().items():
        rows = "\n".join(map(_row, metrics))
        parts.append(f"## {', '.join(processes)}\n\n{_HEAD}\n{rows}")
    return "\n\n".join([*parts, _promises(), _series()]) + "\n"


def _by_processes() -> Mapping[tuple[str, ...], Sequence[Metric]]:
    """Return processes -> the metrics that just these have, and have alike."""
    found: dict[str, tuple[Metric, list[str]]] = {}
    for process, metrics in catalogue().items():
        for metric in metrics:
            found.setdefault(repr(metric), (metric, []))[1].append(process)
    grouped: dict[tuple[str, ...], list[Metric]] = {}
    for metric, processes in found.values():
        grouped.setdefault(tuple(processes), []).append(metric)
    return grouped


def _row(metric: Metric) -> str:
    labels = "<br>".join(f"`{name}`: {_values(each)}" for name, each in metric.labels.items())
    guards = metric.guards or ""
    if metric.beside:
        guards += f"<br>beside `{metric.beside}`"
    cells = (f"`{metric.name}`", metric.kind, labels, metric.meaning, metric.unit, guards)
    return f"| {' | '.join(cells)} |"


def _values(values: tuple[str, ...] | Bound) -> str:
    if isinstance(values, Bound):
        return f"{values.words}; {values.most} at most"
    return " ".join(f"`{value}`" for value in values)


def _promises() -> str:
    rows = [f"| {promise} | {', '.join(_guards(promise))} |" for promise in Promise]
    return "\n".join(["## Promises", "", "| promise | metrics |", "|---|---|", *rows])


def _guards(promise: Promise) -> Iterable[str]:
    """Return the metrics of a promise, each once."""
    metrics = (metric for each in catalogue().values() for metric in each)
    return dict.fromkeys(f"`{each.name}`" for each in metrics if each.guards is promise)


def _series() -> str:
    rows = [
        f"| {process} | {sum(metric.most for metric in metrics)} | {BUDGETS[process]} |"
        for process, metrics in catalogue().items()
    ]
    head = ["## Series", "", "| process | at most | budget |", "|---|--:|--:|"]
    return "\n".join([*head, *rows])
