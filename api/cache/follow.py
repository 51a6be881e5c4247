"""Follow: let go what changes, as the tail of the outbox tells it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from api.cache.tags import tags_of
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from api.admit import Gate
    from api.cache.reads import Cache


class CacheObserver:
    """Stands between the tail and the cache."""

    def __init__(self, cache: Cache, gate: Gate) -> None:
        self.begun = asyncio.Event()
        """Set once changes are told: what is kept from then on is let go in time."""
        self._cache = cache
        self._gate = gate

    def begin(self) -> None:
        """Let go all: of some changes before now nobody told."""
        self._cache.drop_all()
        self.begun.set()

    def change(self, topic: str, *, key: str, owner: str) -> None:
        """Let go what tells of whom or what has changed, and what is known of its owner."""
        self._cache.drop(tags_of(topic, key=key, owner=owner))
        self._gate.forget(derive_id(owner))
