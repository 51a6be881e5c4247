"""What all rows have in common: they merge.

Rows with one id merge into one, in any order and grouping and however often: the later snapshot
wins, and what only grows is the greatest of both. So a batch collapses to one row for each id,
and ends like its events one by one.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, runtime_checkable

from schema.kafka.clerk import MAX_MS, PLAIN_MS, read_ms, time_from_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

Order = tuple[int, int, str]
"""What decides between two snapshots: version, the event's own time in ms, its id."""


class Stamp(NamedTuple):
    """What an event brings to each of its rows."""

    timestamp: int
    """What decides between two snapshots of one version: its own time in milliseconds, 0 without
    one and where somebody only looked at Clerk."""
    event_id: str
    occurred_at: datetime | None
    """Its own time, None without one."""
    at: int
    """Its own time in milliseconds, 0 without one: when what it ends ended."""


class Row(Protocol):
    """A row that an event asks for: a tuple, its columns as apply.sql takes them."""

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Yield the columns."""

    @property
    @abstractmethod
    def id(self) -> Any:
        """What is the same in all rows that merge."""

    @property
    @abstractmethod
    def version_event_id(self) -> str:
        """The svix-id of the event that it is from, empty where somebody is only named."""

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return one row that says what both say."""


class Versioned(Protocol):
    """A row that is a snapshot."""

    @property
    @abstractmethod
    def version(self) -> int:
        """When the snapshot was taken, in milliseconds."""

    @property
    @abstractmethod
    def version_timestamp(self) -> int:
        """The event's own time in milliseconds, as `Stamp.timestamp` has it."""

    @property
    @abstractmethod
    def version_event_id(self) -> str:
        """The svix-id."""


@runtime_checkable
class Composite(Protocol):
    """A row that several events may each have a part in."""

    @abstractmethod
    def is_in(self, whole: Any) -> bool:
        """Say whether the merged row has something of this one."""


def version_order(row: Versioned) -> Order:
    """Return what decides between two snapshots."""
    return row.version, row.version_timestamp, row.version_event_id


def latest(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two times, each None where it is not known."""
    return max(one, other) if one and other else one or other


def read_time(ms: int | None, at: str, name: str) -> datetime | None:
    """Return the time of field `name` of what stands at `at`, None without one.

    Raises MalformedEventError when no calendar holds it.
    """
    if ms is None:
        return None
    # Its path only matters where it is refused; to join it takes as long as to read the time.
    return time_from_ms(ms if PLAIN_MS <= ms <= MAX_MS else read_ms(ms, f"{at}.{name}"))
