"""Which events to tick in Clerk's dashboard: derived from what workers and ingest do with them."""

from __future__ import annotations

from typing import Final

from ingest.redact import TYPES as CODES
from ingest.route import USER_FIELD
from schema.kafka.snapshots import ABSENCE, SNAPSHOT
from workers.project import PROJECTIONS

OWN: Final = (SNAPSHOT, ABSENCE)
"""How types begin that Clerk does not have."""

PARTLY: Final = "organizationInvitation"
"""The one family of which Clerk has types that change nothing here, beside one that does."""


def list_needed() -> list[str]:
    """Return the types that change something here; without them rows are missing or old."""
    return [name for name in PROJECTIONS if not name.startswith(OWN)]


def list_kept() -> list[str]:
    """Return the families of types that are only kept, as `role.*`; those are never needed."""
    used = {name.partition(".")[0] for name in (*list_needed(), *CODES)}
    others = [f"{family}.*" for family in USER_FIELD if family not in used]
    return [f"the others of {PARTLY}.*", *others]


def list_unwanted() -> list[str]:
    """Return the types that carry one-time codes: what holds those is taken out, and no more."""
    return sorted(CODES)
