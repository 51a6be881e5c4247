"""How far a download has come: a bar on a terminal, two plain lines elsewhere."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


class Meter:
    """Shows on standard error how much of a known number of bytes has arrived.

    `advance` may be called from several threads.
    """

    def __init__(self, label: str, *, total: int) -> None:
        self._label = label
        self._total = total
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(label, total=total)
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if not self._console.is_terminal:
            self._console.print(f"{self._label}, {self._total / 1e6:.0f} MB …")
        self._bar.start()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._bar.stop()
        if not failed:
            seconds = time.monotonic() - self._started
            self._console.print(f"{self._label}: done in {seconds:.0f} s")

    def advance(self, size: int) -> None:
        """Count so many bytes more."""
        self._bar.advance(self._task, size)
