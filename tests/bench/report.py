"""What was measured, as a table to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from tests.bench.figure import LIMIT
from tests.bench.spread import spread_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.figure import Figure, Promise
    from tests.bench.results import Measured, Results
    from tests.bench.spread import Spread

WIDTH: Final = 120
"""Of tables, in a pipe too."""


def report(results: Results, console: Console) -> None:
    """Print the machine, and a table for each experiment."""
    console.print(str(results.machine), markup=False)
    if results.quick:
        console.print("Tried out in a hurry: these figures mean nothing.")
    for measured in results.experiments:
        console.print()
        console.print(f"{measured.name}: {measured.says}", markup=False)
        for name, title in measured.contestants.items():
            console.print(f"  {name}: {title}", markup=False)
        if measured.failed:
            console.print(f"  broken off by {measured.failed}", markup=False)
        print_table(make_table(measured), console)


def print_table(table: Table, console: Console) -> None:
    """Print a table in its whole width, also where the console is narrower."""
    Console(file=console.file, width=max(console.width, WIDTH), highlight=False).print(table)


def make_table(measured: Measured) -> Table:
    """Return a line for each figure of each contestant."""
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("figure", no_wrap=True)
    table.add_column("of", no_wrap=True)
    for title in ("median", "least", "most"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    for title in ("of the limit", "promise"):
        table.add_column(title, no_wrap=True)
    for figure in measured.figures:
        for cells in _lines(measured, figure):
            table.add_row(*cells)
    return table


def _lines(measured: Measured, figure: Figure) -> Iterator[tuple[str, ...]]:
    for who in measured.contestants:
        if not (samples := measured.of(figure.name, who)):
            continue
        spread = spread_of(samples)
        share = measured.share_of_limit(figure, who)
        promises = [
            tell_promise(measured, figure, each) for each in figure.promises if each.who == who
        ]
        yield (
            figure.name,
            who,
            *(show(value) for value in (spread.median, spread.low, spread.high)),
            figure.unit,
            show_share(share) if share else "",
            "; ".join(promises),
        )


def kept(measured: Measured, figure: Figure, promise: Promise) -> bool | None:
    """Tell whether the median keeps a promise, None where it was not measured."""
    if promise.of is not None:
        share = measured.share(figure, promise.who, promise.of)
        return None if share is None else share.median >= promise.bound
    samples = measured.of(figure.name, promise.who)
    return figure.within(spread_of(samples).median, promise.bound) if samples else None


def tell_promise(measured: Measured, figure: Figure, promise: Promise) -> str:
    """Return a promise and what became of it, such as "≥ 0.35 kept"."""
    least = promise.of is not None or figure.better == "more"
    bound = f"{'≥' if least else '≤'} {show(promise.bound)}"
    if promise.of not in {None, LIMIT}:
        share = measured.share(figure, promise.who, promise.of or "")
        bound += f" of {promise.of}" + (f" (is {show_share(share)})" if share else "")
    verdict = {True: "kept", False: "BROKEN", None: "not measured"}
    return f"{bound} {verdict[kept(measured, figure, promise)]}"


def broken_promises(results: Results) -> list[str]:
    """Return the names of figures that are not what was promised."""
    return [
        f"{measured.name}.{figure.name}"
        for measured in results.experiments
        for figure in measured.figures
        for promise in figure.promises
        if kept(measured, figure, promise) is False
    ]


def show_share(share: Spread) -> str:
    """Return a share with its spread."""
    return f"{share.median:.2f} ({share.low:.2f} to {share.high:.2f})"


def show(value: float) -> str:
    """Return a number with three digits that count, or as many as it has before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
