"""Where groups go on after a loss: planned from literals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition

from deploy.doctor.applied import judge_applied
from deploy.doctor.verdict import Status
from deploy.rewind.plan import Loss, Sources, Step, go_back, plan_sources
from deploy.rewind.run import Rewound, tell
from deploy.spans import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACE = TopicPartition("clerk.user-events", 3)
GROUP = "clerkwork.projector"


def _plan(
    applied: int | None, committed: int | None, *, start: int = 0, end: int = 1000
) -> Sources:
    def known(offset: int | None) -> Mapping[TopicPartition, int]:
        return {} if offset is None else {PLACE: offset}

    return plan_sources(
        GROUP, applied=known(applied), committed=known(committed), spans={PLACE: Span(start, end)}
    )


@pytest.mark.parametrize(
    ("applied", "committed", "target"),
    [
        (100, 500, 100),  # a database from a backup
        (None, 500, 0),  # a database that was made anew
        (1500, 1200, 0),  # a topic that was made anew, and a group that has survived it
    ],
)
def test_a_group_goes_back_to_where_the_tables_are(
    applied: int | None, committed: int, target: int
) -> None:
    """Or to the beginning, where they know nothing of the records that there are."""
    planned = _plan(applied, committed)

    assert planned.steps == (Step(GROUP, PLACE, committed, target),)
    assert planned.losses == ()


@pytest.mark.parametrize(
    ("applied", "committed"), [(500, 500), (501, 500), (100, None), (None, None), (1500, None)]
)
def test_a_group_that_is_not_beyond_the_tables_stays(
    applied: int | None, committed: int | None
) -> None:
    """It is never set forward, and who has noted nothing begins at the beginning by himself."""
    assert _plan(applied, committed).steps == ()


def test_what_kafka_has_no_more_is_named() -> None:
    """The group goes on with the first record that there is."""
    planned = _plan(100, 500, start=300)

    assert planned.steps == (Step(GROUP, PLACE, 500, 300),)
    assert planned.losses == (Loss(PLACE, 200),)


def test_a_topic_that_ends_before_what_is_applied_is_another() -> None:
    """What the tables know of it is of no use, and nothing of the new one counts as lost."""
    planned = _plan(1500, None, start=10)

    assert planned.renewed == (PLACE,)
    assert planned.losses == ()


def test_nobody_goes_forward() -> None:
    """Whatever is asked for."""
    assert go_back(GROUP, PLACE, {PLACE: 7}, 9) == []
    assert go_back(GROUP, PLACE, {}, 0) == []
    assert go_back(GROUP, PLACE, {PLACE: 9}, 7) == [Step(GROUP, PLACE, 9, 7)]


def test_what_is_done_is_said() -> None:
    """In sums, and what is lost by name; nothing where nothing is to be done."""
    rewound = Rewound(
        steps=[Step(GROUP, PLACE, 500, 300), Step(GROUP, PLACE._replace(partition=4), 20, 10)],
        losses=[Loss(PLACE, 200)],
        renewed=[PLACE],
        letters={"open": 2, "replayed": 3},
        restored=True,
    )
    nothing = Rewound(steps=[], losses=[], renewed=[], letters={}, restored=False)
    said = "\n".join(tell(rewound, dry_run=True))

    assert "clerkwork.projector would go back by 210 records in 2 partitions." in said
    assert "clerk.user-events/3: Kafka has no more the 200 records" in said
    assert "1 partitions were made anew" in said
    assert "5 dead letters were lost with their topics, 2 of them not replayed" in said
    assert "cursors of /v1/changes from before expire" in said
    assert tell(nothing, dry_run=False) == [
        "The groups are where the tables are: nothing is to be done."
    ]


@pytest.mark.parametrize(
    ("applied", "committed", "status"),
    [(500, 500, Status.OK), (100, 500, Status.WRONG), (1500, None, Status.WRONG)],
)
def test_the_doctor_sees_a_database_that_is_older_than_kafka(
    applied: int, committed: int | None, status: Status
) -> None:
    """And one whose topics were made anew; the fix is named."""
    verdict = judge_applied(_plan(applied, committed))

    assert verdict.status is status
    assert ("clerkwork rewind" in str(verdict.fix)) == (status is Status.WRONG)
