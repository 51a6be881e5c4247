"""Standings: what the database says of callers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the database says of the caller."""

    role: str
    status: str
