"""Select dead letters: the same filters for whatever is done with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deploy.errors import OperatorError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final[tuple[str, ...]] = ("open", "replaying", "replayed", "parked", "purged")
"""What a letter can be; held against the tables by a test."""
WAITING: Final = ("open", "parked")
"""States of letters with which something can be done."""

_SQL: Final = read_statements(__file__)
_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PLACE: Final = re.compile(r"([a-zA-Z0-9._-]{1,249})/(\d{1,9})/(\d{1,18})")


class Place(NamedTuple):
    """Where Kafka keeps a letter."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which letters; what is None asks for nothing."""

    states: tuple[str, ...] = ("open",)
    reason: str | None = None
    """Part of the reason or the error code, in whatever case."""
    error_class: str | None = None
    type: str | None = None
    user: str | None = None
    """The clerk user id."""
    topic: str | None = None
    """The dead-letter topic, or the one where the record was first read."""
    since: datetime | None = None
    until: datetime | None = None
    """Died before then."""
    event: str | None = None
    """The svix-id."""
    limit: int | None = None
    """At most so many."""

    def arguments(self) -> tuple[Any, ...]:
        """Return what `matching` in select.sql takes, $1 to $10."""
        only = self.states[0] if len(self.states) == 1 else None
        return (
            *(only, list(self.states), self.reason, self.error_class, self.type, self.user),
            *(self.topic, self.since, self.until, self.event),
        )

    def describe(self) -> dict[str, Any]:
        """Return what was asked for, as the audit keeps it."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        times = {name: said[name].isoformat() for name in ("since", "until") if name in said}
        return said | times


def over_matching(statements: Mapping[str, str]) -> dict[str, str]:
    """Return the statements with `matching` in the place of `:matching`, as psql would have it.

    One WHERE for all that is done, so that what is listed is what is replayed and purged.
    """
    return {
        name: statement.replace(":matching", _SQL["matching"])
        for name, statement in statements.items()
    }


def read_moment(text: str | None, *, now: datetime | None = None) -> datetime | None:
    """Return the time that `text` names: ISO 8601, UTC unless it says otherwise, or `90m` ago.

    Raises OperatorError.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise OperatorError(
            f"{text} is no time. Say it as 2026-01-31, 2026-01-31T12:00 or, counted from now, 90m."
        ) from None


def read_place(text: str) -> Place | None:
    """Return the place that `text` names, TOPIC/PARTITION/OFFSET; None where it names none."""
    found = _PLACE.fullmatch(text)
    return Place(found[1], int(found[2]), int(found[3])) if found else None
