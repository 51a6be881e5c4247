"""Whom and what all samples are about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from deploy.desk.models.frame import Fact, Option, Point

NOW: Final = datetime(2026, 11, 21, 9, 41, 7, tzinfo=UTC)
OPERATOR: Final = "user_2NNEqL2nrIRdJ194ndJqAHwEfxC"
EVENT: Final = "msg_2b7QxFz1LmYpC8rT0vKd3nWeHsA"
USER: Final = "user_2bZqVxPfE4ncRyUXWq5aA0TcNmK"
DLQ: Final = "clerk.user-events.dlq"
PLACE: Final = f"{DLQ}/1/4211"


def ago(**span: float) -> datetime:
    """Return a time before now."""
    return NOW - timedelta(**span)


def points(*values: int, step: timedelta) -> tuple[Point, ...]:
    """Return values at even times, the last of them now."""
    return tuple(
        Point(at=NOW - (len(values) - number - 1) * step, value=value)
        for number, value in enumerate(values)
    )


def facts(**facts: str) -> tuple[Fact, ...]:
    """Return facts by name."""
    return tuple(Fact(name=name.replace("_", " "), value=value) for name, value in facts.items())


def options(*values: str, chosen: str) -> tuple[Option, ...]:
    """Return choices, some of them chosen."""
    return tuple(Option(value=each, name=each, chosen=each in chosen.split()) for each in values)
