"""What operators do and have done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from deploy.desk.models.frame import Fact


@dataclass(frozen=True, kw_only=True)
class OperationRow:
    """An operation in a list."""

    id: str
    action: str
    """replay | edit | purge | release | reveal."""
    operator: str
    """A clerk user id where it was done at the desk, else user@host."""
    started_at: datetime
    finished_at: datetime | None
    planned: int
    done: int
    state: str
    """running | broken (nobody carries it out: it can be resumed) | finished."""
    asked: tuple[Fact, ...]
    """What was asked for."""
    url: str


@dataclass(frozen=True, kw_only=True)
class OperationPage:
    """One operation; operation.html. `progress_url` tells as JSON {planned, done, state}."""

    row: OperationRow
    share: float
    """How much of it is done, 0 to 1."""
    problem: str
    """Why it broke off, as far as this process knows; empty where it does not."""
    letters_url: str
    """The letters that it has taken last; empty where it takes none."""
    progress_url: str
    resume_url: str
    """To be posted to; empty where there is nothing to resume."""


@dataclass(frozen=True, kw_only=True)
class OperationsPage:
    """What runs or has broken off, and what was done last; operations.html."""

    unfinished: tuple[OperationRow, ...]
    finished: tuple[OperationRow, ...]


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """All that operators have done, the newest first; audit.html."""

    rows: tuple[OperationRow, ...]
    older_url: str
    newest_url: str
