"""Programs of Debian's that tests and the bench drive: installed by name where this may be."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

_APT: Final = ("apt-get", "-qq", "-y", "--no-install-recommends")


class ProgramMissingError(Exception):
    """It is not here, and cannot be installed; the message says why."""


def find_program(program: str, *, package: str) -> str:
    """Return the path of `program`, installing Debian's `package` first where it is missing.

    Skips the test, and says why, where it is missing and cannot be installed.
    """
    try:
        return provide_program(program, package=package)
    except ProgramMissingError as missing:
        pytest.skip(str(missing))


def provide_program(program: str, *, package: str) -> str:
    """Do the same, but raise ProgramMissingError."""
    if found := shutil.which(program):
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ProgramMissingError(
            f"{program} is not here, and Debian's {package} cannot be installed"
        )
    with Path(__file__).open() as here:
        fcntl.flock(here, fcntl.LOCK_EX)  # apt-get gives up where another one is at work
        _install(package)
    if found := shutil.which(program):
        return found
    raise ProgramMissingError(f"Debian's {package} has no {program}")


def _install(package: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (("update",), ("install", package)):
        ended = subprocess.run(  # noqa: S603  # a fixed command, a name of ours
            (*_APT, *step), env=environment, check=False, capture_output=True, timeout=240
        )
        if ended.returncode:
            raise ProgramMissingError(
                f"Debian's {package} cannot be installed: apt-get {step[0]} failed"
            )
