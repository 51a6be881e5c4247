"""Together: what is asked for within one turn of the event loop is read by one statement.

Under load that is many keys for one round trip; alone it takes no longer than a read of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST: Final = 100
"""More keys are not read by one statement."""


class _Bundle(NamedTuple, Generic[K, V]):
    keys: set[K]
    task: asyncio.Task[Mapping[K, V]]


class Together(Generic[K, V]):
    """Gathers keys, and reads them at once."""

    def __init__(self, read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._open: _Bundle[K, V] | None = None

    async def find(self, key: K) -> V | None:
        """Return what there is, None for nothing. Raises what reading raises.

        It is read after now: who joins does so before the statement is sent. One who goes away
        takes it from nobody.
        """
        bundle = self._open
        if bundle is None or len(bundle.keys) >= MOST:
            keys: set[K] = set()
            bundle = self._open = _Bundle(keys, asyncio.create_task(self._send(keys)))
            bundle.task.add_done_callback(_retrieve)
        bundle.keys.add(key)
        found = await asyncio.shield(bundle.task)
        return found.get(key)

    async def _send(self, keys: set[K]) -> Mapping[K, V]:
        # A task begins in the next turn: whoever comes from now on is for another one.
        if self._open and self._open.keys is keys:
            self._open = None
        return await self._read(keys)


def _retrieve(task: asyncio.Task[Mapping[K, V]]) -> None:
    if not task.cancelled():
        task.exception()  # perhaps nobody waits for it any more
