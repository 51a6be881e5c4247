"""Variables: of the environment, or files that are named as they are.

Kubernetes, Docker, systemd and Vault hand secrets over as files, which no child process inherits
and no crash report lists. `CLERKWORK_SECRETS_DIR` names their directory; the environment wins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

DIRECTORY: Final = "CLERKWORK_SECRETS_DIR"
MOST_BYTES: Final = 64 * 1024
"""A larger file is no variable."""


class VariableError(Exception):
    """A variable cannot be read from its file: which and why, and nothing of what is in it."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable}: {reason}.")
        self.variable = variable
        self.reason = reason


def find_directory() -> Path | None:
    """Return where the files are; None where there are none."""
    name = os.environ.get(DIRECTORY)
    return Path(name).expanduser() if name else None


def find_variable(name: str) -> str | None:
    """Return the value of a variable; None where there is none, or an empty one.

    Raises VariableError when it has a file that cannot be read, or is empty.
    """
    return os.environ.get(name) or _read_file(name)


def read_environment() -> dict[str, str]:
    """Return the environment with all that files say, for processes that are to inherit it.

    Raises VariableError.
    """
    directory = find_directory()
    files = [] if directory is None else [each for each in _list(directory) if each.is_file()]
    names = {file.name.upper() for file in files if file.name.isidentifier()}
    found = {name: find_variable(name) for name in names}
    whole = dict(os.environ) | {name: value for name, value in found.items() if value}
    return {name: value for name, value in whole.items() if name != DIRECTORY}


def _list(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError as error:
        raise VariableError(DIRECTORY, f"no such directory ({type(error).__name__})") from None


def _read_file(name: str) -> str | None:
    directory = find_directory()
    if directory is None or name == DIRECTORY:
        return None
    path = next((each for each in _list(directory) if each.name.upper() == name), None)
    if path is None:
        return None
    try:
        return _read(path, directory)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = f"its file cannot be read ({type(error).__name__})"
    except ValueError as error:
        reason = f"its file {error}"
    raise VariableError(name, reason)


def _read(path: Path, directory: Path) -> str:
    """Return what a file says. Raises ValueError in words, and what reading raises."""
    if directory.resolve() not in path.resolve(strict=True).parents:
        raise ValueError("is a link that leads out of the directory")
    if not path.is_file():
        raise ValueError("is none")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("is too large")
    value = path.read_text(encoding="utf-8").strip()
    if not value:
        raise ValueError("is empty")
    return value
