"""Where the console speaks: colour and movement on a terminal, bare lines in a pipe."""

from __future__ import annotations

import os
import sys

from rich.console import Console


def is_live() -> bool:
    """Tell whether somebody watches who would see movement."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def open_console() -> Console:
    """Return the console for standard output; in a pipe it writes no control characters."""
    return Console(
        # Decided here: a FORCE_COLOR that was meant for others would put escapes into a pipe.
        force_terminal=is_live(),
        soft_wrap=True,  # what is pasted elsewhere must not be broken into lines
        highlight=False,
        emoji=False,
    )
