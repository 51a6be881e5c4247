"""Plan where groups are to go on: what the tables hold decides, not what was promised to Kafka."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

    from deploy.spans import Span

    Offsets = Mapping[TopicPartition, int]


class Step(NamedTuple):
    """A partition with which a group goes on elsewhere."""

    group: str
    place: TopicPartition
    committed: int
    """Where it would go on now."""
    target: int


class Loss(NamedTuple):
    """Records that follow what is applied, and that Kafka has no more."""

    place: TopicPartition
    records: int


@dataclass(frozen=True, kw_only=True)
class Sources:
    """How the workers' group is to go on with the topics that it applies."""

    steps: tuple[Step, ...]
    losses: tuple[Loss, ...]
    renewed: tuple[TopicPartition, ...]
    """They end before what is applied: these are not the records that the tables know."""


def plan_sources(
    group: str, *, applied: Offsets, committed: Offsets, spans: Mapping[TopicPartition, Span]
) -> Sources:
    """Return how to go on behind what is applied, or with the first record that Kafka has.

    A group never goes forward: what it reads twice changes nothing.
    """
    renewed = tuple(place for place, known in applied.items() if known > spans[place].end)
    known = {place: applied[place] for place in applied.keys() - set(renewed)}
    steps, losses = list[Step](), list[Loss]()
    for place, span in spans.items():
        behind = known.get(place, 0)
        if place not in renewed and behind < span.start:
            losses.append(Loss(place, span.start - behind))
        steps += go_back(group, place, committed, max(behind, span.start))
    return Sources(steps=tuple(steps), losses=tuple(losses), renewed=renewed)


def go_back(group: str, place: TopicPartition, committed: Offsets, target: int) -> list[Step]:
    """Return the step that this takes, or none where the group is not beyond it."""
    at = committed.get(place)
    return [Step(group, place, at, target)] if at is not None and at > target else []
