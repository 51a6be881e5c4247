"""Keys derived from Clerk's ids, so that any event can name a row that has not arrived yet.

UUID version 5 (RFC 9562 §5.5): the same id in, the same key out, in every rebuild.
"""

from __future__ import annotations

import uuid
from typing import Final

NAMESPACE: Final = uuid.UUID("6f1c3f0e-6f0c-5b60-9a44-6b1f0d0c5a11")
"""Ours alone; changing it changes every key."""


def derive_id(clerk_id: str) -> uuid.UUID:
    """Return the primary key of the row that stands for `clerk_id`."""
    return uuid.uuid5(NAMESPACE, clerk_id)
