"""Every way in which a request can fail: the one registry of error codes.

A code is for programs and never changes its meaning; the message beside it is for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.http.faults.absences import ABSENCES
from schema.http.faults.callers import CALLERS
from schema.http.faults.fault import Fault
from schema.http.faults.outages import OUTAGES
from schema.http.faults.requests import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAULTS", "Fault"]

FAULTS: Final[Mapping[str, Fault]] = dict(
    sorted({**REQUESTS, **CALLERS, **ABSENCES, **OUTAGES}.items(), key=lambda each: each[1].status)
)
"""Code -> what it stands for, by status."""
