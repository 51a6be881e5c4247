"""Wait for something to become true, not for a time to pass."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


async def until(
    look: Callable[[], Awaitable[T]], accept: Callable[[T], bool], *, within_s: float = 60.0
) -> T:
    """Return what `look` finds once `accept` takes it; fail with the last look otherwise."""
    found = await look()
    try:
        async with asyncio.timeout(within_s):
            while not accept(found):
                await asyncio.sleep(0.05)
                found = await look()
    except TimeoutError:
        raise AssertionError(f"after {within_s} s still: {found!r}") from None
    return found
