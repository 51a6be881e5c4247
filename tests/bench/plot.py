"""What was measured, as pictures: one SVG for each figure and each set of curves.

Raises ModuleNotFoundError where the libraries of the group `bench` are not installed.
"""

from __future__ import annotations

from itertools import cycle, groupby
from operator import attrgetter
from textwrap import fill
from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from tests.bench.figure import LIMIT, NAIVE, OURS
from tests.bench.report import show
from tests.bench.spread import spread_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tests.bench.figure import Curve, Figure
    from tests.bench.results import Measured, Results

COLOURS: Final = {LIMIT: "#9aa5b1", OURS: "#3b6fd4", NAIVE: "#d98236"}
OTHERS: Final = "#9dbdf0"
"""Ours too, in another way."""
HATCHES: Final = {LIMIT: "///", NAIVE: "..."}
"""So that they are told apart without colour too; ours is plain."""
LINES: Final = ("-", "--", ":", "-.")
NUMBER: Final = "{x:,.9g}"
TITLE: Final = 88
"""Characters of a title's line."""


def plot(results: Results, directory: Path) -> Sequence[Path]:
    """Write the pictures; return where they are."""
    directory.mkdir(parents=True, exist_ok=True)
    # The same figures make the same file: ids of its parts are no random numbers.
    mpl.rcParams["svg.hashsalt"] = "clerkwork"
    written: list[Path] = []
    for measured in results.experiments:
        for figure in measured.figures:
            if any(measured.of(figure.name, who) for who in measured.contestants):
                path = directory / f"{measured.name}-{figure.name}.svg"
                _save(_draw_bars(measured, figure), path)
                written.append(path)
        for name, curves in groupby(
            sorted(measured.curves, key=attrgetter("figure")), key=attrgetter("figure")
        ):
            path = directory / f"{measured.name}-{name}-curve.svg"
            title = f"{measured.name}: {name.replace('_', ' ')}"
            _save(_draw_curves(title, list(curves)), path)
            written.append(path)
    return written


def _draw_bars(measured: Measured, figure: Figure) -> Canvas:
    """Draw the median of each contestant, with a line from the least run to the most."""
    found = {
        who: spread_of(samples)
        for who in measured.contestants
        if (samples := measured.of(figure.name, who))
    }
    canvas = Canvas(figsize=(7, 1.2 + 0.45 * len(found)), layout="constrained")
    axes = canvas.subplots()
    medians = [spread.median for spread in found.values()]
    around = [
        [spread.median - spread.low for spread in found.values()],
        [spread.high - spread.median for spread in found.values()],
    ]
    bars = axes.barh(
        list(found),
        medians,
        xerr=around,
        color=[COLOURS.get(who, OTHERS) for who in found],
        hatch=[HATCHES.get(who, "") for who in found],
        edgecolor="white",
        error_kw={"elinewidth": 1, "capsize": 3},
    )
    labels = [_label(measured, figure, who, spread.median) for who, spread in found.items()]
    axes.bar_label(bars, labels, padding=6, fontsize=8)
    axes.margins(x=0.3)
    axes.invert_yaxis()
    axes.set_xlabel(f"{figure.unit}, {figure.better} is better", fontsize=8)
    _finish(axes, canvas, f"{measured.name}: {figure.says}")
    return canvas


def _label(measured: Measured, figure: Figure, who: str, median: float) -> str:
    """Return what stands beside a bar: the median, and how near the limit that is."""
    share = measured.share_of_limit(figure, who)
    return show(median) + (f"   {share.median:.2f} of the limit" if share else "")


def _finish(axes: Axes, canvas: Canvas, title: str) -> None:
    """Put the title over the whole width, and leave out lines that say nothing."""
    canvas.suptitle(fill(title, TITLE), x=0.01, ha="left", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_formatter(NUMBER)


def _draw_curves(title: str, curves: Sequence[Curve]) -> Canvas:
    canvas = Canvas(figsize=(7, 3.2), layout="constrained")
    axes = canvas.subplots()
    for curve, line in zip(curves, cycle(LINES), strict=False):
        axes.plot(
            [x for x, _ in curve.points],
            [y for _, y in curve.points],
            line,
            label=curve.series,
            color=COLOURS.get(curve.series, COLOURS[OURS]),
        )
    axes.set_xlabel(curves[0].x, fontsize=8)
    axes.set_ylabel(curves[0].y, fontsize=8)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(NUMBER)
    axes.legend(fontsize=8, loc="lower right")
    _finish(axes, canvas, title)
    return canvas


def _save(canvas: Canvas, path: Path) -> None:
    canvas.savefig(path, metadata={"Date": None})
