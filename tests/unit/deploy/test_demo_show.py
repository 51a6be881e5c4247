"""What the demonstration looks like."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from deploy.demo.board import Board
from deploy.demo.finding import Finding
from deploy.demo.show import LiveView, PlainView, open_view, print_findings

HELD = Finding(promise="Only Clerk gets in", expected="401", found="401", differences=[])
BROKEN = Finding(
    promise="A crash loses nothing",
    expected="0 lost",
    found="7 lost",
    differences=[f"msg_{n} is lost" for n in range(7)],
)


def _make_console(*, terminal: bool = False, width: int = 80) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=terminal, width=width, soft_wrap=True, highlight=False
    )


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _make_board() -> Board:
    return Board(
        planned=1000,
        answers=Counter(accepted=400, INVALID_SIGNATURE=1),
        taken=Counter(accepted=400, quarantined=1, invalid_signature=1, stale_timestamp=2),
        records=1046,
        waiting=123,
    )


def test_a_pipe_gets_lines_and_no_control_characters() -> None:
    """What is logged can be read as it is."""
    console = _make_console()
    with PlainView(_make_board(), console) as view:
        view.note("worker [killed]")

    lines = _written(console).splitlines()
    assert lines[0].endswith("worker [killed]")
    assert "401 of 1000 sent; ingest 400 kept, 1 aside, 3 refused" in lines[1]
    assert all(line.isprintable() for line in lines)


def test_figures_are_written_once_a_second() -> None:
    """However often they change."""
    console = _make_console()
    with PlainView(_make_board(), console) as view:
        for _ in range(10):
            view.refresh()

    assert len(_written(console).splitlines()) == 2  # the first, and the last when it ends


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_walk_fits_the_terminal(width: int) -> None:
    """From eighty columns on every figure is whole."""
    console = _make_console(width=width)
    console.print(LiveView(_make_board(), console)._picture())

    lines = _written(console).splitlines()
    assert max(map(len, lines)) <= width
    for figure in ("1046 records", "123 waiting", "PostgreSQL", "401 of 1000"):
        assert figure in _written(console)


def test_the_latest_events_stay_in_sight() -> None:
    """And the cursor comes back in the end."""
    console = _make_console(terminal=True)
    with LiveView(_make_board(), console) as view:
        for number in range(9):
            view.note(f"event {number}")

    assert "event 8" in _written(console)
    assert _written(console).endswith("\x1b[?25h")


def test_without_a_terminal_the_view_is_plain() -> None:
    """Standard output of a test is no terminal."""
    assert isinstance(open_view(_make_board(), _make_console()), PlainView)


def test_the_end_says_what_was_held() -> None:
    """One line a promise, one sentence, and where to go next."""
    console = _make_console()
    print_findings([HELD], console, seconds=6.04, seed=5)

    assert _written(console).splitlines() == [
        "",
        "✓ Only Clerk gets in: expected 401; found 401",
        "",
        "1 of 1 promises held in 6.0 s. Next: deploy/run up, and the README's guarantees.",
    ]


def test_the_end_says_what_was_broken() -> None:
    """With the first differences, and how to see it again."""
    console = _make_console()
    print_findings([HELD, BROKEN], console, seconds=6, seed=5)

    text = _written(console)
    assert "✗ A crash loses nothing" in text
    assert text.count("is lost") == 5
    assert "1 of 2 promises held in 6.0 s. Look closer: deploy/run demo --seed 5 --keep." in text
