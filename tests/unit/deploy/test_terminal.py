"""What the console shows of what others have said."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.table import Table

from deploy.terminal import Screen, complain

if TYPE_CHECKING:
    import pytest


def test_no_text_steers_the_terminal() -> None:
    """Whoever has named a topic or a client: what would clear the screen is seen, not done."""
    screen = Screen(file=io.StringIO(), width=80)
    table = Table("place")
    table.add_row("a\x1b[2Jb\x9b2Jc")

    screen.print("\x1b]0;title\x07 and\r\n\tmore", markup=False)
    screen.print("[bold]\x1b[31mred[/]")
    screen.print(table)
    said = screen.file.getvalue() if isinstance(screen.file, io.StringIO) else ""

    assert not set(said) & set("\x1b\x07\x9b\r")
    assert "a�[2Jb�2Jc" in said
    assert "\n" in said


def test_a_complaint_steers_nothing_either(capsys: pytest.CaptureFixture[str]) -> None:
    """It quotes what was asked for."""
    complain("There is no topic \x1b[2J[/].")

    assert capsys.readouterr().err == "There is no topic �[2J[/].\n"
