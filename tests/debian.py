"""Programs of Debian's that tests drive: installed by name where this may be done, else skipped."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

_APT: Final = ("apt-get", "-qq", "-y", "--no-install-recommends")


def find_program(program: str, *, package: str) -> str:
    """Return the path of `program`, installing Debian's `package` first where it is missing.

    Skips the test, and says why, where it is missing and cannot be installed.
    """
    if found := shutil.which(program):
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip(f"{program} is not here, and Debian's {package} cannot be installed")
    with Path(__file__).open() as here:
        fcntl.flock(here, fcntl.LOCK_EX)  # apt-get gives up where another one is at work
        _install(package)
    if found := shutil.which(program):
        return found
    pytest.skip(f"Debian's {package} has no {program}")


def _install(package: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (("update",), ("install", package)):
        ended = subprocess.run(  # noqa: S603  # a fixed command, a name of ours
            (*_APT, *step), env=environment, check=False, capture_output=True, timeout=240
        )
        if ended.returncode:
            pytest.skip(f"Debian's {package} cannot be installed: apt-get {step[0]} failed")
