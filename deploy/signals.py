"""Signals that end the console: the first one stops it in order, later ones change nothing."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Make every ending signal a KeyboardInterrupt while the context lasts.

    A signal that we were started to ignore, as `nohup` does with SIGHUP, stays ignored.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def shield() -> None:
    """Ignore ending signals from now on: what is being stopped must not be left half stopped."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
