"""Subscription: what waits in memory for one stream of changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from api.authorize import is_admin

if TYPE_CHECKING:
    from api.read import Standing
    from schema.http.tokens.claims import Caller


class Frame(NamedTuple):
    """A change, ready to be sent to all who may see it."""

    position: int
    data: bytes


class Subscription:
    """What the tail has read and one stream has not sent yet, up to `limit` changes."""

    def __init__(self, caller: Caller, standing: Standing | None, *, limit: int) -> None:
        self.owner = caller.clerk_id
        self.owner_id = caller.user_id
        self.standing = standing
        self.sees_all = is_admin(standing)
        self.behind = False
        """Whether there was more than it holds: then it holds nothing until `reset`."""
        self._limit = limit
        self._frames: list[Frame] = []
        self._news = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Add a change; the one too many leaves it behind. Never waits."""
        if self.behind or len(self._frames) >= self._limit:
            self.lose()
        else:
            self._frames.append(frame)
            self._news.set()

    def learn(self, standing: Standing | None) -> None:
        """Take note of what the database says of the caller now."""
        if standing != self.standing:
            self.standing = standing
            self._news.set()

    async def take(self, *, within_s: float) -> list[Frame]:
        """Return what there is, in order; wait for it no longer than `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._news.wait()
        self._news.clear()
        frames, self._frames = self._frames, []
        return frames

    def lose(self) -> None:
        """Take note that changes are missing."""
        self.behind = True
        self._frames.clear()
        self._news.set()

    def reset(self) -> None:
        """Forget what there is and begin anew."""
        self._frames = []
        self.behind = False
