"""Ask Clerk, and know how often that was and how often it asked for patience."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from deploy.errors import OperatorError
from schema.clerk.client import Clerk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from deploy.backfill.resources import Resource
    from schema.clerk.settings import ClerkSettings


@dataclass(kw_only=True)
class Asked:
    """What was asked so far."""

    requests: int = 0
    limited: int = 0
    """How many of them Clerk answered with 429, too many."""
    failed: int = 0
    """How many it did not answer, or with 5xx."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Whose users they are."""

    id: str
    environment: str
    """production | development."""


@contextlib.asynccontextmanager
async def opened_counting(settings: ClerkSettings) -> AsyncIterator[tuple[Clerk, Asked]]:
    """Have somebody to ask while the context lasts, and a count of the requests."""
    asked = Asked()
    async with aiohttp.ClientSession(trace_configs=[_trace(asked)]) as session:
        clerk = Clerk(
            session,
            url=str(settings.clerk_api_url),
            secret_key=settings.clerk_secret_key.get_secret_value(),
            requests_per_10_s=settings.requests_per_10_s,
        )
        yield clerk, asked


def _trace(asked: Asked) -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def begin(*_: Any) -> None:
        asked.requests += 1

    async def end(_session: Any, _context: Any, done: aiohttp.TraceRequestEndParams) -> None:
        asked.limited += done.response.status == 429
        asked.failed += done.response.status >= 500

    async def fail(*_: Any) -> None:
        asked.failed += 1

    trace.on_request_start.append(begin)
    trace.on_request_end.append(end)
    trace.on_request_exception.append(fail)
    return trace


async def require_instance(clerk: Clerk, expected: str | None) -> Instance:
    """Return whose key it is. Raises OperatorError when another instance is expected."""
    body = msgspec.json.decode((await clerk.get("/instance")).body, type=dict[str, Any])
    instance = Instance(id=str(body["id"]), environment=str(body.get("environment_type")))
    if expected and instance.id != expected:
        raise OperatorError(
            f"CLERK_SECRET_KEY is of the instance {instance.id}, CLERK_INSTANCE_ID says {expected}:"
            " nothing was published."
        )
    return instance


async def count(clerk: Clerk, resource: Resource) -> int:
    """Return how many Clerk has of something."""
    query = None if resource.counted_at.endswith("/count") else {"limit": 1}
    answer = await clerk.get(resource.counted_at, query)
    return int(msgspec.json.decode(answer.body, type=dict[str, Any])["total_count"])
