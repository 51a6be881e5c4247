"""Fetch the next page while the former one is used."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")


async def one_ahead(pages: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield what `pages` yields, having asked for one more each time; closes it in the end."""
    async with contextlib.aclosing(pages):
        following = asyncio.ensure_future(_next(pages))
        try:
            while (page := await following) is not None:
                following = asyncio.ensure_future(_next(pages))
                yield page
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _next(pages: AsyncGenerator[T]) -> T | None:
    return await anext(pages, None)
