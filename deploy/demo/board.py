"""The figures of the demonstration while it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(kw_only=True)
class Board:
    """What was last seen of every station; the observer writes it, the view shows it."""

    planned: int
    answers: Counter[str] = field(default_factory=Counter)
    """How the webhooks that were sent have been answered."""
    taken: Counter[str] = field(default_factory=Counter)
    """What ingest counts, by its answers."""
    records: int = 0
    """In Kafka's source topics."""
    waiting: int = 0
    """Of those, how many no worker has committed yet."""
    letters: int = 0
    """In Kafka's dead-letter topics."""
    worker: str = "running"
    """In one word, how the worker is."""
    life: int = 1
    """How often the worker was started."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """What the worker counts since its start, by outcome."""
    users: int = 0
    deleted: int = 0
    """Of those, tombstones."""
    events: int = 0
    """In the ledger."""
    told: int = 0
    """Changes that the relay has published."""
    untold: int = 0
    """Changes that it was not seen to have published, as it notes once a second."""
    api_requests: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def sent(self) -> int:
        """How many webhooks have been answered."""
        return self.answers.total()

    def tell(self) -> None:
        """Wake who waits for the figures to change."""
        self._changed.set()

    async def wait_until(self, reached: Callable[[], bool]) -> None:
        """Return once the figures are as asked."""
        while not reached():
            self._changed.clear()
            await self._changed.wait()
