"""Are the tables as far as the workers' group: a database from a backup is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.errors import GroupCoordinatorNotAvailableError

from deploy.doctor.patient import AwayError, database, kafka_admin, kafka_reader
from deploy.doctor.verdict import Verdict, fine, wrong
from deploy.groups import read_group
from deploy.rewind.plan import plan_sources
from deploy.rewind.stand import read_applied
from deploy.spans import read_spans
from schema.kafka.topics import GROUP, SOURCES

if TYPE_CHECKING:
    from deploy.rewind.plan import Sources

_FIX = "Stop the workers, run clerkwork rewind, start them: deploy/docs/how-to/recover.md."


async def check_applied() -> Verdict:
    """Look whether the group has passed what is not applied."""
    names = {topic.name for topic in SOURCES}
    async with kafka_admin() as admin:
        try:
            # Before the tables, which are never behind it.
            group = await read_group(admin, GROUP)
        except GroupCoordinatorNotAvailableError as error:
            raise AwayError("Kafka has nobody yet who coordinates groups; ask again") from error
    async with database() as connection:
        applied = await read_applied(connection)
    places = [place for place in {**applied, **group.committed} if place.topic in names]
    async with kafka_reader() as consumer:
        spans = await read_spans(consumer, places)
    return judge_applied(
        plan_sources(
            GROUP,
            applied=applied,
            committed=group.committed,
            spans=spans,
        )
    )


def judge_applied(sources: Sources) -> Verdict:
    """Return whether groups go on where the tables are."""
    if sources.renewed:
        return wrong(
            f"{len(sources.renewed)} partitions end before what is applied: topics were made anew.",
            _FIX,
        )
    if sources.steps:
        records = sum(step.committed - step.target for step in sources.steps)
        return wrong(
            f"Workers have passed {records} records that are not applied: the database is older"
            " than Kafka, as from a backup.",
            _FIX,
        )
    return fine("as far as workers have passed")
