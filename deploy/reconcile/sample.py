"""Sample: some users of either side, and what they say about all."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, Final

from deploy.clerk.page import read_list
from deploy.clerk.walk import count_users
from deploy.reconcile.compare import compare_things
from deploy.reconcile.confirm import count_living, find_absent, suspect
from deploy.reconcile.drift import Share
from deploy.reconcile.look import MANY, look_for_users
from deploy.reconcile.settle import Patience, settle
from schema.kafka.changes import CANARY_PREFIX
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.reconcile.sides import Sides

PAGE: Final = 10
"""So many users are taken from one place: who were created one after the other may drift alike."""

_Z: Final = 1.959963984540054
"""95 % of a normal distribution lie within so many standard deviations."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """What a sample has shown."""

    shares: Mapping[str, Share]
    unreadable: int
    behind: int


async def sample(sides: Sides, *, number: int, patience: Patience) -> Sampled:
    """Compare about `number` users of either side, and estimate how many differ of all."""
    at_clerk = await count_users(sides.clerk)
    here = (await count_living(sides.connection))["users"]
    theirs, unreadable = await _draw_theirs(sides, number, of=at_clerk)
    ours = await _draw_ours(sides, number)
    behind = await settle(sides, patience)
    found = await sides.connection.fetchrow(_SQL["count_suspected"])
    drifted: Mapping[str, Any] = dict(found or {})
    return Sampled(
        shares={
            "clerk": estimate(drifted["at_clerk"], theirs, of=at_clerk),
            "here": estimate(drifted["here"], ours, of=here),
        },
        unreadable=unreadable,
        behind=behind,
    )


async def _draw_theirs(sides: Sides, number: int, *, of: int) -> tuple[int, int]:
    """Compare users of Clerk's; return how many, and how many of them could not be read.

    Pages begin at multiples of their length, so that each user is as likely as any other.
    """
    places = range(0, of, PAGE)
    wanted = min(len(places), -(-number // PAGE))
    seen = unreadable = 0
    for offset in random.sample(places, wanted):
        query: dict[str, str | int] = {"limit": PAGE, "offset": offset, "order_by": "+created_at"}
        items = read_list(await sides.clerk.get("/users", query))
        unreadable += len(items.unreadable) + await compare_things(
            sides.connection, items.things, clock_ms=items.clock_ms
        )
        seen += len(items)
    return seen, unreadable


async def _draw_ours(sides: Sides, number: int) -> int:
    """Look for users of ours at Clerk; return how many."""
    rows = await sides.connection.fetch(_SQL["draw_users"], number, CANARY_PREFIX)
    for begin in range(0, len(rows), MANY):
        batch: Sequence[Any] = rows[begin : begin + MANY]
        living, _ = await look_for_users(sides.clerk, [row["clerk_id"] for row in batch])
        unnamed = [row for row in batch if row["clerk_id"] not in living]
        await suspect(sides.connection, "users", await find_absent(sides, "users", unnamed))
    return len(rows)


def estimate(drifted: int, sampled: int, *, of: int) -> Share:
    """Return the share that a sample shows, and between what it lies: Wilson's score interval.

    https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    """
    if not sampled:
        return Share(sampled=0, drifted=0, of=of, low=0.0, high=1.0 if of else 0.0)
    if sampled >= of:  # nothing is left to chance
        share = drifted / sampled
        return Share(sampled=sampled, drifted=drifted, of=of, low=share, high=share)
    share, square = drifted / sampled, _Z * _Z
    middle = (share + square / (2 * sampled)) / (1 + square / sampled)
    spread = (
        _Z
        * sqrt(share * (1 - share) / sampled + square / (4 * sampled * sampled))
        / (1 + square / sampled)
    )
    return Share(
        sampled=sampled,
        drifted=drifted,
        of=of,
        low=max(0.0, middle - spread),
        high=min(1.0, middle + spread),
    )
