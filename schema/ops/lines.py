"""Lines on their way out: one write for all that one turn of the event loop says.

A write of its own for each line, as structlog's BytesLogger has it, costs a request more than all
else about its line.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

MOST_LINES: Final = 256
"""So many are kept at most until they are written."""


class Lines:
    """A logger of structlog's, whose every method takes a line without its end.

    What is said while an event loop runs is written at the end of its turn, all else at once;
    both before the process ends, unless it is killed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept: list[bytes] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        atexit.register(self.flush)

    def msg(self, line: bytes) -> None:
        """Have `line` written."""
        with self._lock:
            self._kept.append(line)
            full = len(self._kept) >= MOST_LINES
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            full = True
        else:
            # One that was closed before its turn ended will not write any more.
            if loop is not self._loop:
                self._loop = loop
                loop.call_soon(self.flush)
        if full:
            self.flush()

    debug = info = warning = error = critical = msg

    def flush(self) -> None:
        """Write what is kept. Raises OSError where it cannot be written, and forgets it."""
        self._loop = None
        with self._lock:
            if self._kept:
                kept, self._kept = self._kept, []
                kept.append(b"")
                self._stream.write(b"\n".join(kept))
                self._stream.flush()
