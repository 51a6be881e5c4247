"""Where the console speaks: colour and movement on a terminal, bare lines in a pipe."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

if TYPE_CHECKING:
    from rich.text import Text

_UNSEEN: Final = {
    number: "�" for number in (*range(0x20), *range(0x7F, 0xA0)) if number not in b"\t\n"
}


class Screen(Console):
    """A console on which no text that it is given moves the cursor, colours or clears anything.

    What databases, brokers and strangers say may hold the terminal's own commands (ECMA-48).
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return `text` to be shown, its control characters seen."""
        return super().render_str(text.translate(_UNSEEN), **options)


def is_live() -> bool:
    """Tell whether somebody watches who would see movement."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def open_console() -> Console:
    """Return the console for standard output; in a pipe it writes no control characters."""
    return Screen(
        # Decided here: a FORCE_COLOR that was meant for others would put escapes into a pipe.
        force_terminal=is_live(),
        soft_wrap=True,  # what is pasted elsewhere must not be broken into lines
        highlight=False,
        emoji=False,
    )


def complain(words: str) -> None:
    """Say on standard error why something is not done."""
    Screen(stderr=True, soft_wrap=True).print(words, markup=False, highlight=False)
