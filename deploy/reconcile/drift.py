"""What drift is: its kinds, what was found of each, and what cron is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENT: Final = frozenset({"deleted_upstream", "gone"})
"""Kinds of what Clerk has no more, as a direct look-up has confirmed."""

MENDABLE: Final = frozenset({"missing", "stale", "orphaned", *ABSENT})
"""Kinds that the guarded path can mend."""

ADVICE: Final[Mapping[str, str]] = {
    "altered": "as new as Clerk's, and other: nothing that Clerk sends mends it, clerkwork rebuild"
    " does where somebody changed the tables",
    "deleted_here": "deleted here, and Clerk has them: clerkwork restore gives back those whose"
    " data is held back",
    "restored": "restored here, and Clerk has them no more: --repair --force deletes them again",
}
"""What to do where repairing alone does not help."""


class ExitCode(IntEnum):
    """What cron is told."""

    CLEAN = 0
    """No drift, or all of it is mended."""
    DRIFT = 1
    """Drift was found, or is left."""
    UNFINISHED = 2
    """Refused by the ceiling, or not brought to an end."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What was found of one kind."""

    resource: str
    kind: str
    found: int
    mended: int
    held: int
    """How many of those found are only held back."""
    ids: tuple[str, ...]
    """Clerk's ids of those that are left, or of all where none was mended; maybe the first only."""

    @property
    def left(self) -> int:
        """How many are not mended."""
        return self.found - self.mended


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What was not deleted, because it was too much at once."""

    resource: str
    candidates: int
    """How many rows Clerk did not name."""
    confirmed: int
    """How many of those were looked up and are gone, until that was too many."""
    allowed: int


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a sample says about a share."""

    sampled: int
    drifted: int
    of: int
    """How many there are in all."""
    low: float
    high: float
    """Between these two the share lies, with a probability of 95 %."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run has found and done."""

    mode: str
    """`full`, `incremental` or `sample`."""
    seconds: float
    checked: Mapping[str, int]
    """Resource -> how many things of Clerk's and rows of ours were compared."""
    drifts: tuple[Drift, ...] = ()
    unreadable: Mapping[str, int] = field(default_factory=dict)
    """Resource -> how many things of Clerk's cannot be kept."""
    refusals: tuple[Refusal, ...] = ()
    behind: int = 0
    """So many records the workers had still to apply when the patience was over."""
    repaired: bool = False
    """Whether mending was asked for."""
    published: int = 0
    users_at_clerk: int | None = None
    users_here: int | None = None
    shares: Mapping[str, Share] = field(default_factory=dict)
    """`clerk`: of the users whom Clerk has; `here`: of ours."""

    @property
    def left(self) -> int:
        """How much drift is left."""
        return sum(drift.left for drift in self.drifts)

    @property
    def exit_code(self) -> ExitCode:
        """What cron is told."""
        if self.refusals or self.behind:
            return ExitCode.UNFINISHED
        return ExitCode.DRIFT if self.left else ExitCode.CLEAN
