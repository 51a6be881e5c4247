"""What has become better or worse since an earlier run.

Only what does not depend on how fast the machine is today is compared, wherever there is such a
thing: the share of the limit measured in the same run. Something is better or worse when no run
of the one could be one of the other, and the medians differ by more than NOISE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from rich.table import Table

from tests.bench.figure import LIMIT, NAIVE
from tests.bench.report import print_table, show
from tests.bench.spread import Spread, spread_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from tests.bench.figure import Figure
    from tests.bench.results import Measured, Results

NOISE: Final = 0.05
"""What the same code differs by from one hour to the next though its runs are of one mind."""

Verdict = Literal["better", "same", "worse"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one figure of one contestant."""

    name: str
    """Experiment, figure and contestant."""

    of_limit: bool
    """Whether shares of the limit are compared, else values."""

    before: Spread
    now: Spread
    verdict: Verdict


def compare(before: Results, now: Results) -> Sequence[Change]:
    """Return what became of everything that both have measured."""
    return [
        change
        for measured in now.experiments
        if (earlier := before.find(measured.name))
        for figure in measured.figures
        for change in _compare_figure(earlier, measured, figure)
    ]


def _compare_figure(before: Measured, now: Measured, figure: Figure) -> Iterator[Change]:
    for who in now.contestants:
        if who in {LIMIT, NAIVE}:
            continue
        shares = [each.share_of_limit(figure, who) for each in (before, now)]
        old, new = shares if all(shares) else [_values(each, figure, who) for each in (before, now)]
        if old and new:
            more = figure.better == "more" or all(shares)
            yield Change(
                name=f"{now.name}.{figure.name} {who}",
                of_limit=all(share is not None for share in shares),
                before=old,
                now=new,
                verdict=judge(old, new, more_is_better=more),
            )


def _values(measured: Measured, figure: Figure, who: str) -> Spread | None:
    samples = measured.of(figure.name, who)
    return spread_of(samples) if samples else None


def judge(before: Spread, now: Spread, *, more_is_better: bool) -> Verdict:
    """Return what the difference of two spreads means."""
    if before.overlaps(now) or abs(now.median - before.median) <= NOISE * abs(before.median):
        return "same"
    return "better" if (now.median > before.median) is more_is_better else "worse"


def tell_changes(changes: Sequence[Change], console: Console) -> int:
    """Print what has changed; return the exit code, 1 when something has become worse."""
    table = Table(box=None, pad_edge=False, header_style="")
    for title in ("figure", "compared", "before", "now", ""):
        table.add_column(title, justify="right" if title in {"before", "now"} else "left")
    for change in changes:
        compared = "share of the limit" if change.of_limit else "value"
        table.add_row(
            change.name, compared, _show(change.before), _show(change.now), change.verdict
        )
    console.print()
    print_table(table, console)
    return int(any(change.verdict == "worse" for change in changes))


def _show(spread: Spread) -> str:
    return f"{show(spread.median)} ({show(spread.low)} to {show(spread.high)})"
