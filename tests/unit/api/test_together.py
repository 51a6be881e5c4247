"""What is asked for within one turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api.database import DatabaseUnavailableError
from api.together import MOST, Together

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Shelf:
    """Has the even numbers, and remembers what was asked for at once."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []
        self.fails = False
        self.begun: asyncio.Queue[None] = asyncio.Queue()
        self.opened = asyncio.Event()
        self.opened.set()

    async def read(self, keys: Collection[int]) -> Mapping[int, str]:
        """Return what there is, once opened."""
        self.asked.append(set(keys))
        self.begun.put_nowait(None)
        await self.opened.wait()
        if self.fails:
            raise DatabaseUnavailableError
        return {key: str(key) for key in keys if key % 2 == 0}


async def test_one_turn_is_one_read() -> None:
    """Everybody is given their own, or nothing; the same key is read once."""
    shelf = Shelf()
    together = Together(shelf.read)

    found = await asyncio.gather(*(together.find(key) for key in (1, 2, 2, 4)))

    assert found == [None, "2", "2", "4"]
    assert shelf.asked == [{1, 2, 4}]


async def test_who_comes_later_is_not_given_what_was_read_before() -> None:
    """What has been sent is closed, also for the same key."""
    shelf = Shelf()
    together = Together(shelf.read)
    shelf.opened.clear()
    first = asyncio.create_task(together.find(2))
    await shelf.begun.get()

    second = asyncio.create_task(together.find(2))
    await shelf.begun.get()
    shelf.opened.set()

    assert [await first, await second] == ["2", "2"]
    assert shelf.asked == [{2}, {2}]


async def test_statements_are_bounded() -> None:
    """More keys than MOST are read by several."""
    shelf = Shelf()
    together = Together(shelf.read)

    await asyncio.gather(*(together.find(key) for key in range(2 * MOST + 1)))

    assert [len(keys) for keys in shelf.asked] == [MOST, MOST, 1]


async def test_failing_fails_for_all() -> None:
    """Each of them is told, and the next turn tries again."""
    shelf = Shelf()
    together = Together(shelf.read)
    shelf.fails = True

    failed = await asyncio.gather(*(together.find(key) for key in (1, 2)), return_exceptions=True)
    assert [type(error) for error in failed] == [DatabaseUnavailableError] * 2

    shelf.fails = False
    assert await together.find(2) == "2"


async def test_who_goes_away_takes_it_from_nobody() -> None:
    """The others are given theirs."""
    shelf = Shelf()
    together = Together(shelf.read)
    shelf.opened.clear()
    gone, stays = (asyncio.create_task(together.find(key)) for key in (2, 4))
    await shelf.begun.get()

    gone.cancel()
    shelf.opened.set()

    assert await stays == "4"
    with pytest.raises(asyncio.CancelledError):
        await gone
