"""The README's table of what was measured, from `measured.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.figure import OURS
from tests.bench.report import kept, show
from tests.bench.spread import spread_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.figure import Figure
    from tests.bench.results import Measured, Results


class Row(NamedTuple):
    """A line of the table: a figure of somebody."""

    experiment: str
    figure: str
    what: str
    who: str = OURS


ROWS: Final = (
    Row("ingest", "rate", "webhooks that one core takes, acknowledged by Kafka"),
    Row("ingest", "p99", "their answers at half of that, p99"),
    Row("worker", "rate", "events that one worker applies, everything committed"),
    Row("worker", "rate", "two of them, on two cores with everything else", "two workers"),
    Row("worker", "memory", "memory of a worker"),
    Row("relay", "rate", "changes that the relay publishes"),
    Row("relay", "p99", "from a commit to a consumer, at a quarter of that, p99"),
    Row("api", "rate", "profiles that one core reads, from the cache"),
    Row("api", "rate", "the same without the cache", "uncached"),
    Row(
        "mixed", "p95", "a list of users, beside all other reads and a worker, p95", "list of users"
    ),
    Row("mixed", "p99", "queries meanwhile, p99", "queries"),
    Row("visible", "p50", "from the POST of a webhook to its user in the API, median"),
    Row("visible", "p99", "the same, p99"),
    Row("cache", "hits", "reads of 1,000,000 users that need no query, one change in 100"),
    Row("cache", "fresh_p99", "from a commit to the first cached answer that shows it, p99"),
    Row("changes", "p99", "from a change to those who follow it, p99"),
    Row("growth", "worker", "events that a worker applies, of 1,000,000 users", "many"),
    Row("growth", "api", "profiles read without the cache, of 1,000,000 users", "many"),
    Row("growth", "user", "disk for each user, indexes included", "many"),
    Row("growth", "event", "disk for each event", "many"),
    Row("backlog", "rate", "the last tenth of 1,000,000 events that have waited", "last tenth"),
    Row("backlog", "memory", "memory of the worker by then", "last tenth"),
    Row("cost", "cpu", "CPU time of everything for 100,000 events"),
    Row("cost", "wal", "WAL of an event, without whole pages"),
    Row("clerk", "reconcile", "users compared with Clerk's stand-in"),
    Row("newcomers", "p50", "from a new user's first request to its answer, no webhook yet"),
)


def measured_table(results: Results) -> str:
    """Return the table, as Markdown, of the rows that were measured."""
    lines = [line for row in ROWS for line in _write(row, results)]
    head = ["| what | median | of the limit | asked for | figure |", "|---|--:|--:|---|---|"]
    return "\n".join([*head, *lines])


def machine_line(results: Results) -> str:
    """Return a sentence of where and when."""
    machine = results.machine
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb} GB; Python {machine.python},"
        f" PostgreSQL {machine.versions['PostgreSQL']}, Kafka {machine.versions['Kafka']};"
        f" fsync {machine.postgres['fsync']}; {results.measured_at[:10]}."
    )


def _write(row: Row, results: Results) -> Iterator[str]:
    measured = results.find(row.experiment)
    figure = _find(measured.figures, row.figure) if measured else None
    samples = measured.of(row.figure, row.who) if measured else ()
    if not measured or not figure or not samples:
        return
    share = measured.share_of_limit(figure, row.who)
    cells = [
        row.what,
        f"{show(spread_of(samples).median)} {figure.unit}",
        f"{share.median:.2f}" if share and figure.name == "rate" else "",
        "; ".join(_promises(measured, figure, row.who)),
        f"`{row.experiment}.{row.figure}`",
    ]
    yield f"| {' | '.join(cells)} |"


def _promises(measured: Measured, figure: Figure, who: str) -> Iterator[str]:
    for promise in figure.promises:
        if promise.who == who and (held := kept(measured, figure, promise)) is not None:
            least = promise.of is not None or figure.better == "more"
            of = f" of {promise.of}" if promise.of else f" {figure.unit}"
            share = measured.share(figure, who, promise.of) if promise.of else None
            found = f", is {share.median:.2f}" if share else ""
            yield (
                f"{'≥' if least else '≤'} {show(promise.bound)}{of}{found}:"
                f" {'kept' if held else '**not kept**'}"
            )


def _find(figures: Sequence[Figure], name: str) -> Figure | None:
    return next((each for each in figures if each.name == name), None)
