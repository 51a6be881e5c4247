"""Rewind: look at both servers, plan, tell, and do it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka.errors import CommitFailedError

from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from deploy.groups import READS
from deploy.letters.desk import DeskSettings, naming_kafka, reading
from deploy.rewind.plan import Loss, Step, go_back, plan_sources
from deploy.rewind.stand import (
    count_lost_letters,
    find_since,
    read_tables,
    read_topics,
)
from deploy.rewind.write import begin_anew, forget_renewed, take
from deploy.topics import connected_admin
from schema.kafka.connections import connection_arguments
from schema.kafka.topics import DEAD_LETTER_TOPICS, DESK_GROUP, GROUP, RETRY_DELAYS, retry_group
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, TopicPartition
    from rich.console import Console

    from deploy.rewind.stand import Tables, Topics

CLIENT: Final = "clerkwork-rewind"
_LETTERS: Final = frozenset(topic.name for topic in DEAD_LETTER_TOPICS)
_WAITING: Final = frozenset({"open", "replaying", "parked"})


@dataclass(frozen=True, kw_only=True)
class Rewound:
    """What was found, and what was done unless it was only to be looked at."""

    steps: Sequence[Step]
    losses: Sequence[Loss]
    renewed: Sequence[TopicPartition]
    """Topics that were made anew."""
    letters: Mapping[str, int]
    """How many letters were lost with their topics, by state."""
    restored: bool
    """Whether the database is older than what others were told."""


async def rewind(settings: DeskSettings, *, dry_run: bool) -> Rewound:
    """Have the groups of workers go on where the tables are.

    Raises OperatorError, also while there are workers, and what the drivers raise.
    """
    arguments = connection_arguments(settings)
    url = settings.database_url.get_secret_value()
    async with (
        connected(url, name=CLIENT) as connection,
        reading(settings, client=CLIENT) as consumer,
        connected_admin(arguments) as admin,
    ):
        topics = await read_topics(admin, consumer, arguments)
        _require_empty(topics)
        tables = await read_tables(connection)
        ends = {p: span.end for p, span in topics.spans.items() if p.topic in _LETTERS}
        letters = await count_lost_letters(connection, ends)
        planned = await _plan(tables, topics, consumer, letters)
        if not dry_run:
            await forget_renewed(connection, planned.renewed, ends)
            if planned.restored:
                await begin_anew(connection, published=topics.published, head=tables.head)
            await take(planned.steps, arguments)
    return planned


def _require_empty(topics: Topics) -> None:
    busy = [f"{name} has {group.members}" for name, group in topics.groups.items() if group.members]
    if busy:
        raise OperatorError(
            f"There are members in groups that are to go back: {', '.join(busy)}. Stop all workers"
            " (of those with WORKER_INSTANCE_ID Kafka takes up to a minute to notice), then run"
            " this again. Nothing was changed."
        )


async def _plan(
    tables: Tables, topics: Topics, consumer: AIOKafkaConsumer, letters: Mapping[str, int]
) -> Rewound:
    def places(group: str) -> list[TopicPartition]:
        names = {topic.name for topic in READS[group]}
        return [place for place in topics.spans if place.topic in names]

    sources = plan_sources(
        GROUP,
        applied={p: tables.applied[p] for p in places(GROUP) if p in tables.applied},
        committed=topics.groups[GROUP].committed,
        spans={place: topics.spans[place] for place in places(GROUP)},
    )
    steps = list(sources.steps)
    for place in places(DESK_GROUP):
        span = topics.spans[place]
        known = tables.indexed.get(place, 0)
        target = span.start if known > span.end else max(known, span.start)
        steps += go_back(DESK_GROUP, place, topics.groups[DESK_GROUP].committed, target)
    if tables.retrying_since:
        # Whoever failed after that is read from the source again, and postponed again.
        for group in map(retry_group, RETRY_DELAYS):
            spans = {place: topics.spans[place] for place in places(group)}
            for place, target in (await find_since(consumer, spans, tables.retrying_since)).items():
                steps += go_back(group, place, topics.groups[group].committed, target)
    return Rewound(
        steps=steps,
        losses=sources.losses,
        renewed=sources.renewed,
        letters=letters,
        restored=bool(sources.steps) or topics.published > tables.head,
    )


def run_rewind(console: Console, *, dry_run: bool) -> int:
    """Rewind the environment's groups, or only say how far, and return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(DeskSettings)
    with refusing_in_words(), naming_kafka():
        try:
            rewound = asyncio.run(rewind(settings, dry_run=dry_run))
        except CommitFailedError as error:
            raise OperatorError(
                "A worker has come while groups were set back: stop it, and run this again."
            ) from error
    for line in tell(rewound, dry_run=dry_run):
        console.print(line, markup=False)
    return 0


def tell(rewound: Rewound, *, dry_run: bool) -> list[str]:
    """Return what was found, in lines; no personal data."""
    verb = "would go" if dry_run else "goes"
    lines = [
        f"{group} {verb} back by {records} records in {partitions} partitions."
        for group, (records, partitions) in _sum(rewound.steps).items()
    ]
    if rewound.renewed:
        lines.append(
            f"{len(rewound.renewed)} partitions were made anew since they were applied last."
        )
    if rewound.letters:
        waiting = sum(n for state, n in rewound.letters.items() if state in _WAITING)
        lines.append(
            f"{sum(rewound.letters.values())} dead letters were lost with their topics, {waiting}"
            " of them not replayed: forgotten."
        )
    if rewound.restored:
        lines.append(
            "The database is older than what others were told: changes go on above that, and"
            " cursors of /v1/changes from before expire."
        )
    lines += [
        f"{place.topic}/{place.partition}: Kafka has no more the {records} records behind what is"
        " applied. Once workers have caught up: clerkwork reconcile --repair"
        for place, records in rewound.losses
    ]
    return lines or ["The groups are where the tables are: nothing is to be done."]


def _sum(steps: Sequence[Step]) -> Mapping[str, tuple[int, int]]:
    """Return group -> how many records it goes back, in how many partitions."""
    found = defaultdict[str, tuple[int, int]](lambda: (0, 0))
    for step in steps:
        records, partitions = found[step.group]
        found[step.group] = (records + step.committed - step.target, partitions + 1)
    return found
