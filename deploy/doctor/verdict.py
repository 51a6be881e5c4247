"""What a check comes to: a verdict, what was found, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look at it."""
    WRONG = "wrong"
    """Something does not work, or will not for long."""
    SKIPPED = "skipped"
    """Nobody can say: what is needed for that is not there."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one check found."""

    status: Status
    found: str
    """In a line; no secret, no personal data."""
    fix: str | None = None
    """What to do, in a sentence."""


def fine(found: str) -> Verdict:
    """Return that it is as it should be."""
    return Verdict(status=Status.OK, found=found)


def warn(found: str, fix: str) -> Verdict:
    """Return that somebody should look at it."""
    return Verdict(status=Status.WARNING, found=found, fix=fix)


def wrong(found: str, fix: str) -> Verdict:
    """Return that it does not work."""
    return Verdict(status=Status.WRONG, found=found, fix=fix)


def skip(found: str, fix: str | None = None) -> Verdict:
    """Return that nobody can say."""
    return Verdict(status=Status.SKIPPED, found=found, fix=fix)
