"""What a dashboard is made of, before it is Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unit(StrEnum):
    """What a panel's numbers are, in Grafana's words: `kbn-data`, `valueFormats`."""

    SECONDS = "s"
    BYTES = "bytes"
    SHARE = "percentunit"
    """Of one."""
    PER_SECOND = "suffix:/s"
    COUNT = "short"
    YES_NO = "bool_yes_no"
    KEPT = "none"
    """0 is shown as `kept`, anything more as `look`."""
    TIMES = "suffix: times"
    """So many times as fast as it may."""
    MONTHS = "suffix: months"
    VERSION = "string"


class Limit(NamedTuple):
    """From where on an alert may fire."""

    alert: str | None
    """None for what is promised itself: no alert waits for that."""
    at: float
    severity: Literal["page", "ticket"]
    """A page is red, a ticket orange."""
    below: bool = False
    """It fires below this, not above."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One question, and what answers it."""

    title: str
    says: str
    """What it shows and what to make of it, in a sentence or two."""
    unit: Unit
    queries: Mapping[str, str]
    """Legend -> expression."""
    kind: Literal["lines", "stack", "number", "pair"] = "lines"
    """A pair is what should not be and what was looked at: `violated` and `checked`."""
    limits: tuple[Limit, ...] = ()
    alerts: tuple[str, ...] = ()
    """Alerts that this panel explains, besides those that its limits name."""
    columns: int = 0
    """Its width of 24, 0 for an equal part of what its row has left."""

    @property
    def linked(self) -> tuple[str, ...]:
        """Return the alerts whose sections of the runbook it leads to, each once."""
        named = [*(limit.alert for limit in self.limits if limit.alert), *self.alerts]
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, kw_only=True)
class Row:
    """A station, or one kind of promise."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page of rows."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]
    since: str = "now-3h"
    links: Mapping[str, str] = field(default_factory=dict)
    """Title -> uid of what belongs beside it."""
