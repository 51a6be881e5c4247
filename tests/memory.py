"""Where servers of tests keep their data: in memory, where there is plenty.

A test's own database is 400 files. On a disk they cost more the more of them come and go: ext4
takes no inode that was freed a moment ago, and looks at each of them before it takes another one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY: Final = Path("/dev/shm")  # noqa: S108  # the directory made in it is our own
PLENTY: Final = 6 * 1024**3
"""Bytes; the servers of one process take less than one GiB."""

_PREFIX: Final = "clerkwork-tests-"


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """Have a directory while the context lasts, and nothing of it afterwards."""
    place = MEMORY if _is_plenty() else None
    if place:
        _forget_the_dead()
    directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _is_plenty() -> bool:
    try:
        free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except OSError:  # there is no such thing here
        return False
    return free > PLENTY


def _forget_the_dead() -> None:
    """Free the memory of those who were killed before they could."""
    for directory in MEMORY.glob(f"{_PREFIX}*-*"):
        if not psutil.pid_exists(int(directory.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(directory, ignore_errors=True)
