"""When the last webhook of Clerk's arrived."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from deploy.arrivals import PLACES, TAIL, find_latest
from deploy.doctor.ages import tell_age
from deploy.doctor.patient import kafka_reader
from deploy.doctor.verdict import Verdict, fine, warn

if TYPE_CHECKING:
    from deploy.arrivals import Arrival

QUIET_S: Final = 24 * 3600.0
"""An instance that is used says something more often."""

ASTRAY_S: Final = 2.0
"""Nothing arrives before it is sent: so much earlier, it is the clock."""


async def check_arrivals() -> Verdict:
    """Look when Clerk said something last."""
    async with kafka_reader() as consumer:
        return judge_arrival(await find_latest(consumer, await consumer.end_offsets(PLACES)))


def judge_arrival(latest: Arrival | None) -> Verdict:
    """Return whether that was lately."""
    fix = "See Clerk's dashboard, Webhooks, the endpoint: whether it is enabled, and its attempts."
    if latest is None:
        return warn(
            f"none among the last {TAIL} records of each partition.",
            "Run clerkwork connect; after a backfill wait for the next one: its records are many.",
        )
    told = f"{latest.type} {tell_age(timedelta(seconds=latest.age_s))} ago"
    if latest.took_s is not None:
        if latest.took_s < -ASTRAY_S:
            return warn(
                f"{told}, {-latest.took_s:.1f} s before Clerk sent it by Clerk's clock.",
                "Let NTP set the clock of ingest's machine: it is behind. See chronyc tracking.",
            )
        told += f", {max(0.0, latest.took_s):.1f} s from Clerk to Kafka"
    return warn(f"{told}.", fix) if latest.age_s > QUIET_S else fine(told)
