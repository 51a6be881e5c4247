"""Consumer groups: who consumes, how many records wait, and for how long."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from deploy.doctor.patient import AwayError, kafka_admin, kafka_reader
from deploy.doctor.verdict import Verdict, fine, warn, wrong
from deploy.groups import READS, read_group, read_times
from schema.kafka.topics import DESK_GROUP, GROUP, RETRY_DELAYS, SOURCES, retry_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schema.kafka.topics import Topic

MANY: Final = 10_000
"""So many records that wait are worth a look: seconds of a worker's work, or one that hangs."""

LATE_S: Final = 60.0
"""A record that waits for longer than it has to is worth a look."""

LOOK_S: Final = 2.0
"""How long the oldest records are looked for."""

OTHERS: Final = {
    DESK_GROUP: 0,
    **{retry_group(tier): delay_s for tier, delay_s in RETRY_DELAYS.items()},
}
"""Group -> how long its records have to wait, in seconds."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a group stands."""

    members: int
    waiting: int
    """How many records it has yet to consume."""
    oldest_s: float = 0.0
    """How long the oldest of them has waited; 0 where none does."""
    lost: int = 0
    """How many were removed before it has read them."""


async def check_workers() -> Verdict:
    """Look whether workers consume, and how far behind they are."""
    return judge_group(await measure_group(GROUP, SOURCES))


def judge_group(group: Standing) -> Verdict:
    """Return whether somebody consumes what there is."""
    told = f"{group.members} member{'s' if group.members != 1 else ''}, {group.waiting} wait"
    told += f", the oldest for {group.oldest_s:.0f} s" if group.oldest_s else ""
    if group.lost:
        return wrong(
            f"{group.lost} records were removed before they were read; {told}.",
            "Run clerkwork reconcile: it fetches from Clerk what was missed.",
        )
    if not group.members:
        return wrong(
            f"No worker consumes; {group.waiting} records wait.",
            "Start clerkwork worker; nothing is lost meanwhile.",
        )
    if group.waiting > MANY or group.oldest_s > LATE_S:
        return warn(told, "See the workers' log and /readyz; more of them share the partitions.")
    return fine(told)


async def check_other_groups() -> Verdict:
    """Look whether what is to be tried again, and what is dead, is consumed."""
    return judge_others({name: await measure_group(name, READS[name]) for name in OTHERS})


def judge_others(groups: Mapping[str, Standing]) -> Verdict:
    """Return whether each of OTHERS is consumed, and in time."""
    alone = [name for name, group in groups.items() if not group.members]
    if alone:
        return wrong(f"Nobody consumes for {', '.join(alone)}.", "Start clerkwork worker.")
    late = [
        f"{name} ({group.waiting} wait, the oldest for {group.oldest_s:.0f} s)"
        for name, group in groups.items()
        if group.oldest_s > OTHERS[name] + LATE_S
    ]
    if late:
        return warn(f"behind: {', '.join(late)}.", "See the workers' log and /readyz.")
    return fine(f"{len(groups)} consumed, {sum(each.waiting for each in groups.values())} wait")


async def measure_group(name: str, topics: Sequence[Topic]) -> Standing:
    """Return how a group of the readers of these topics stands."""
    async with kafka_admin() as admin:
        try:
            group = await read_group(admin, name)
        except GroupCoordinatorNotAvailableError as error:
            # So it is where no group has ever been; being asked, Kafka makes room for them.
            raise AwayError("Kafka has nobody yet who coordinates groups; ask again") from error
    places = [TopicPartition(each.name, n) for each in topics for n in range(each.partitions)]
    async with kafka_reader() as consumer:
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        begun = group.committed
        at = {place: max(begun.get(place, 0), starts[place]) for place in places}
        behind = {place: offset for place, offset in at.items() if offset < ends[place]}
        times = await read_times(consumer, behind, within_s=LOOK_S) if behind else {}
    oldest_ms = min(times.values(), default=None)
    return Standing(
        members=group.members,
        waiting=sum(ends[place] - offset for place, offset in behind.items()),
        oldest_s=max(0.0, time.time() - oldest_ms / 1000) if oldest_ms else 0.0,
        lost=sum(max(0, starts[place] - begun[place]) for place in places if place in begun),
    )
