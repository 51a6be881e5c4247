"""What the desk says in one line: bars, times, and texts that others have written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_BLOCKS: Final = " ▏▎▍▌▋▊▉█"


def one_line(value: object) -> str:
    """Return `value` without whatever would move the cursor or break a line; None is empty."""
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() else "�" for each in text)


def bar(part: int, whole: int, *, width: int = 30) -> str:
    """Return a bar as long, of `width`, as `part` is of `whole`; something, where there is any."""
    eighths = max(part * width * 8 // whole, 1) if part else 0
    return "█" * (eighths // 8) + _BLOCKS[eighths % 8].strip()


def write_line(console: Console, line: str) -> None:
    """Write a line as it is: rich would put spaces in the place of tabs."""
    console.file.write(f"{line}\n")
