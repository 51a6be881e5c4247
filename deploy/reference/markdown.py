"""Markdown, as the pages of reference have it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar within a cell stays one."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in line)} |" for line in lines)


def codes(words: Iterable[str]) -> str:
    """Return `one`, `after`, `another`."""
    return ", ".join(f"`{each}`" for each in words)


def page(*parts: str) -> str:
    """Return parts with an empty line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
