"""A stand-in for Clerk on a real socket, and a client that asks it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import aiohttp
import pytest

from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from schema.clerk.client import Clerk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager


class Ask(Protocol):
    """Opens a client of a stand-in."""

    def __call__(
        self,
        world: World,
        trouble: Trouble | None = None,
        *,
        key: str = LIVE_KEY,
        requests_per_10_s: int = 800,
        patience_s: float = 20.0,
    ) -> AbstractAsyncContextManager[Clerk]:
        """Ask a stand-in over `world`."""


@pytest.fixture
def world() -> World:
    """Nobody yet."""
    return World()


@pytest.fixture
def trouble() -> Trouble:
    """None yet."""
    return Trouble()


@pytest.fixture
def ask() -> Ask:
    """Open a client of a stand-in over a world."""

    @contextlib.asynccontextmanager
    async def ask(
        world: World,
        trouble: Trouble | None = None,
        *,
        key: str = LIVE_KEY,
        requests_per_10_s: int = 800,
        patience_s: float = 20.0,
    ) -> AsyncIterator[Clerk]:
        async with (
            running_stand_in(world, trouble) as url,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            yield Clerk(
                session,
                url=url,
                secret_key=key,
                requests_per_10_s=requests_per_10_s,
                patience_s=patience_s,
            )

    return ask
