"""Estimate what a backfill would do: how many things, and for how long."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.clerk.walk import PAGE
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.backfill.desk import Desk
    from deploy.backfill.resources import Resource
    from schema.clerk.client import Clerk

PER_SECOND: Final = 1200
"""How many snapshots one worker applies in a second on two busy cores, as was measured."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What there is of a resource."""

    resource: str
    at_clerk: int
    here: int
    """Living rows in the table."""
    requests: int
    seconds: float


async def estimate(desk: Desk, resources: Sequence[Resource]) -> list[Estimate]:
    """Count, and fetch one page of each resource to see how long that takes; publish nothing."""
    [here] = await desk.connection.fetch(_SQL["count_rows"])
    pace_s = 10 / desk.settings.requests_per_10_s
    return [
        await _estimate(desk.clerk, each, here=here[each.name], pace_s=pace_s) for each in resources
    ]


async def _estimate(clerk: Clerk, resource: Resource, *, here: int, pace_s: float) -> Estimate:
    total = await resource.count(clerk)
    began_s = time.monotonic()
    async with contextlib.aclosing(resource.walk(clerk)) as pages:
        await anext(pages, None)
    page_s = time.monotonic() - began_s
    requests = math.ceil(total / PAGE) + 1
    return Estimate(
        resource=resource.name,
        at_clerk=total,
        here=here,
        requests=requests,
        seconds=requests * max(page_s, pace_s, PAGE / PER_SECOND),
    )
