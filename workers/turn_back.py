"""Turn back to where the tables are: what lies behind what is applied may still be in Kafka.

So a database that was restored from a backup, or a hand on the group's offsets, costs nothing but
time: what was applied already changes nothing. Where Kafka has nothing there any more, the gap is
counted once, and the line goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiokafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaConsumer

    from workers.advance import Gap

log = structlog.get_logger(__name__)


class SkippedError(Exception):
    """The batch begins beyond what is applied: nothing of it is, and what lies before comes first.

    Neither its events nor PostgreSQL are to blame.
    """

    def __init__(self, gaps: Sequence[Gap]) -> None:
        super().__init__("records were skipped")
        self.gaps = gaps


class Turns:
    """Where a consumer has turned back to; it does so once for each place."""

    def __init__(self) -> None:
        self._tried: dict[TopicPartition, int] = {}

    def require_tried(self, gaps: Sequence[Gap]) -> None:
        """Raise SkippedError where a gap may be in Kafka."""
        untried = [gap for gap in gaps if self._tried.get(_place(gap)) != gap.applied]
        if untried:
            raise SkippedError(untried)

    def turn_back(self, consumer: AIOKafkaConsumer, gaps: Sequence[Gap]) -> None:
        """Have the consumer read on behind what is applied, or from the first that Kafka has."""
        owned = consumer.assignment()
        for gap in gaps:
            if (place := _place(gap)) in owned:
                self._tried[place] = gap.applied
                consumer.seek(place, gap.applied)
                log.error("turned_back", **gap._asdict())


def _place(gap: Gap) -> TopicPartition:
    return TopicPartition(gap.topic, gap.partition)
