"""Remember for a while what was answered, so that a repeat is not given to Kafka again.

Another process, or this one after a restart, gives the repeat to Kafka again, under the same ids:
no post comes to be twice, but a change that is repeated there counts as made at the later time, and
that the key came with another body before is not noticed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from cachetools import TTLCache

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

MOST_REMEMBERED: Final = 10_000
"""Commands; at less than a kilobyte each."""
REMEMBERED_S: Final = 600.0
"""Longer than clients retry."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Told(Generic[T]):
    fingerprint: bytes
    answer: asyncio.Task[T]


class Memory(Generic[T]):
    """Answers by the id of their command, also those that are still on their way."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._told: TTLCache[str, _Told[T]] = TTLCache(MOST_REMEMBERED, REMEMBERED_S, timer=clock)

    async def once(
        self, command_id: str, *, fingerprint: bytes, give: Callable[[], Coroutine[object, None, T]]
    ) -> tuple[T, bool]:
        """Return the answer to a command, and whether it is a repeat.

        `give` is called unless it was, and is not cancelled when a caller is: others may wait for
        it. What it raises is raised for all who wait, and forgotten. Raises HttpError 422 where the
        command was another one, which its fingerprint tells.
        """
        told = self._told.get(command_id)
        if told is None:
            told = _Told(fingerprint, asyncio.create_task(give()))
            self._told[command_id] = told
            told.answer.add_done_callback(lambda _: self._forget_failure(command_id, told))
            return await asyncio.shield(told.answer), False
        if told.fingerprint != fingerprint:
            raise HttpError(
                "IDEMPOTENCY_KEY_REUSED",
                "This idempotency key came with another body before.",
                details={"field": "Idempotency-Key"},
            )
        return await asyncio.shield(told.answer), True

    def _forget_failure(self, command_id: str, told: _Told[T]) -> None:
        failed = told.answer.cancelled() or told.answer.exception() is not None
        if failed and self._told.get(command_id) is told:
            del self._told[command_id]
