"""Too many rejects stop the line; a few never do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.factories import make_record, new_event_id
from workers.decode import decode
from workers.halt import Breaker, Limits, LineStoppedError
from workers.record import Applied

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LIMITS = Limits(run=10, ratio=0.5, window=100, least=20)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Stops:
    """A connection to a database that knows of these stops."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.asked = 0

    async def fetch(self, _statement: str, *_arguments: object) -> list[dict[str, Any]]:
        """Return them, and count."""
        self.asked += 1
        return self.rows

    def stand(self, *, released_at: datetime | None = None, allowance: int = 0) -> None:
        """Know of one for partition 0."""
        place = {"topic": "clerk.user-events", "partition": 0}
        self.rows = [place | {"released_at": released_at, "allowance": allowance}]


def _batch(
    outcomes: Iterable[str],
    *,
    partition: int = 0,
    headers: Sequence[tuple[str, bytes | None]] | None = None,
) -> list[Applied]:
    return [
        Applied(
            decode(
                make_record(b"{}", event_id=new_event_id(), partition=partition, headers=headers)
            ),
            outcome,
            "$.data: wrong" if outcome in ("dead", "retrying") else None,
        )
        for outcome in outcomes
    ]


async def _judge(breaker: Breaker, stops: Stops, outcomes: Iterable[str], **place: Any) -> bool:
    """Return whether the batch may be committed."""
    try:
        await breaker.judge(cast("Any", stops), _batch(outcomes, **place))
    except LineStoppedError:
        return False
    return True


@pytest.mark.parametrize(
    ("outcomes", "passes"),
    [
        (["applied"] * 500, True),
        (["dead"] * 9, True),
        (["dead"] * 10, False),
        (["retrying"] * 10, False),
        (["applied", "dead"] * 40, True),
        (["dead", "dead", "applied"] * 40, False),
        (["dead", "dead", "applied"] * 4, True),
        (["ignored", "stale"] * 100, True),
    ],
    ids=range(8),
)
async def test_a_run_or_a_ratio_stops_the_line(outcomes: list[str], *, passes: bool) -> None:
    """Of the latest events, and only once there are enough to tell."""
    assert await _judge(Breaker(limits=LIMITS), Stops(), outcomes) is passes


async def test_batches_add_up() -> None:
    """What counts is the partition, not how it is cut into batches."""
    breaker, stops = Breaker(limits=LIMITS), Stops()
    passed = [await _judge(breaker, stops, ["dead"]) for _ in range(12)]

    assert passed == [True] * 9 + [False] * 3


async def test_what_was_stopped_does_not_count_twice() -> None:
    """The batch comes again and again until it is released; it is one batch all the same."""
    breaker, stops = Breaker(limits=LIMITS), Stops()
    for _ in range(5):
        assert not await _judge(breaker, stops, ["dead"] * 10)

    assert await _judge(breaker, stops, ["dead"] * 9)


async def test_partitions_are_judged_apart() -> None:
    """Nine rejects in each of several partitions are no run of ten."""
    breaker, stops = Breaker(limits=LIMITS), Stops()

    assert all([await _judge(breaker, stops, ["dead"] * 9, partition=n) for n in range(4)])


async def test_a_stop_stands_for_the_next_owner_too() -> None:
    """A worker that has just taken the partition over does not begin to dead-letter anew."""
    stops = Stops()
    stops.stand()

    assert not await _judge(Breaker(limits=LIMITS), stops, ["applied", "dead"])
    assert await _judge(Breaker(limits=LIMITS), stops, ["applied", "stale"])


async def test_a_release_lets_so_many_pass() -> None:
    """Then the limits count again, from nothing."""
    breaker, stops = Breaker(limits=LIMITS), Stops()
    assert not await _judge(breaker, stops, ["dead"] * 30)
    stops.stand(released_at=NOW, allowance=25)

    assert await _judge(breaker, stops, ["dead"] * 30)
    assert not await _judge(breaker, stops, ["dead"] * 5)
    stops.stand(released_at=NOW + timedelta(minutes=1))
    assert await _judge(breaker, stops, ["dead"] * 5)


async def test_nothing_is_asked_while_nothing_is_rejected() -> None:
    """The hot path has no statement more."""
    stops = Stops()
    await _judge(Breaker(limits=LIMITS), stops, ["applied", "stale", "ignored"] * 100)

    assert stops.asked == 0


async def test_what_an_operator_replays_stops_nobody() -> None:
    """It was dead before; if it dies again, that is no sign of anything new."""
    again = [("x-replay-count", b"1")]

    assert await _judge(Breaker(limits=LIMITS), Stops(), ["dead"] * 500, headers=again)
