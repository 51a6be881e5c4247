"""Lines on their way out: one write for all that is said within a moment.

A write of its own for each line, as structlog's BytesLogger has it, takes as long as the rest of
the line, and a client of ours waits for it.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

PAUSE_S: Final = 0.01
"""So long a line is kept at most."""
MOST_LINES: Final = 256
"""So many are kept at most."""


class Lines:
    """A logger of structlog's, whose every method takes a line without its end.

    What is said on an event loop is kept for a moment; warnings and worse, and what is said
    elsewhere, are written at once. Nothing is lost unless the process is killed.
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
            # One that has stopped before then will not write any more.
            if loop is not self._loop:
                self._loop = loop
                loop.call_later(PAUSE_S, self.flush)
        if full:
            self.flush()

    def warning(self, line: bytes) -> None:
        """Have `line` written now, and what was said before it."""
        self.msg(line)
        self.flush()

    debug = info = msg
    error = critical = warning

    def flush(self) -> None:
        """Write what is kept. Raises OSError where it cannot be written, and forgets it."""
        self._loop = None
        with self._lock:
            if self._kept:
                kept, self._kept = self._kept, []
                kept.append(b"")
                self._stream.write(b"\n".join(kept))
                self._stream.flush()
