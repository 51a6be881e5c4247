"""What is known of an error code."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """What a code stands for."""

    status: int
    """The HTTP status it comes with."""
    meaning: str
    """What is the matter."""
    cause: str
    """How that comes about."""
    recovery: str
    """What the caller can do."""
