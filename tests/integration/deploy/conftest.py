"""A way to see that a process has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Gone = Callable[[int], bool]


@pytest.fixture
def gone() -> Gone:
    """Tell whether the process with a pid is no more, or will be within ten seconds."""

    def gone(pid: int) -> bool:
        give_up = time.monotonic() + 10
        while _runs(pid) and time.monotonic() < give_up:
            time.sleep(0.02)
        return not _runs(pid)

    return gone


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
