"""The relay's loop: what it refuses, and what it does while a batch is on its way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from prometheus_client import CollectorRegistry

from schema.ops.metrics import RelayMetrics
from workers.relay.carry import Carrier, OutOfOrderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.relay.fetch import Change


class Outbox:
    """Stands for both ends: hands out what it is told to, and notes what happens."""

    def __init__(self, *positions: int) -> None:
        self.positions = positions
        self.happened: list[str] = []
        self.carrier: Carrier | None = None

    async def fetch(self, _statement: str, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Return what follows, as asyncpg would."""
        self.happened.append(f"fetch {after}")
        found = [each for each in self.positions if each > after][:limit]
        return [(each, "user.changes", "user_1", "t", None) for each in found]

    async def execute(self, _statement: str, position: int) -> None:
        """Take a note."""
        self.happened.append(f"note {position}")

    async def publish(self, changes: Sequence[Change], *, sent: asyncio.Event) -> None:
        """Publish, and have it end after the last."""
        await asyncio.sleep(0)
        self.happened.append(f"publish {[change.position for change in changes]}")
        sent.set()
        if self.carrier and changes[-1].position == max(self.positions):
            self.carrier.stopping.set()


def _carrier(outbox: Outbox, position: int = 0) -> tuple[Carrier, CollectorRegistry]:
    registry = CollectorRegistry()
    stand_in = cast("Any", outbox)
    outbox.carrier = Carrier(
        connection=stand_in,
        publisher=stand_in,
        metrics=RelayMetrics(registry),
        limit=2,
        position=position,
        woken=asyncio.Event(),
        stopping=asyncio.Event(),
    )
    return outbox.carrier, registry


async def test_the_next_batch_is_fetched_while_one_is_on_its_way() -> None:
    """And a note is taken now and then, not for every batch."""
    outbox = Outbox(11, 12, 13, 14, 15)
    carrier, registry = _carrier(outbox, position=10)
    await carrier.carry()

    assert carrier.position == 15
    assert outbox.happened == [
        *("fetch 10", "fetch 12", "publish [11, 12]", "note 12"),
        *("fetch 14", "publish [13, 14]", "publish [15]", "fetch 15"),
    ]
    assert registry.get_sample_value("clerkwork_change_order_checked_total") == 5


async def test_with_little_waiting_it_is_fetched_as_late_as_it_can() -> None:
    """What is committed while a batch is sent need not wait for the one after the next."""
    outbox = Outbox(11)
    carrier, _ = _carrier(outbox, position=10)
    original = outbox.publish

    async def publish(changes: Sequence[Change], *, sent: asyncio.Event) -> None:
        await asyncio.sleep(0)
        if len(outbox.positions) == 1:
            outbox.positions = (11, 12)
        await original(changes, sent=sent)
        await asyncio.sleep(0)

    outbox.publish = publish  # type: ignore[method-assign]  # what others commit meanwhile
    await carrier.carry()

    assert carrier.position == 12
    assert outbox.happened[:4] == ["fetch 10", "publish [11]", "fetch 11", "note 11"]


@pytest.mark.parametrize("positions", [(12, 11), (11, 11)])
async def test_what_is_out_of_order_is_not_published(positions: tuple[int, ...]) -> None:
    """It is counted, and ends the term."""
    outbox = Outbox(*positions)
    carrier, registry = _carrier(outbox)

    with pytest.raises(OutOfOrderError):
        await carrier.carry()

    assert carrier.position == 0
    assert not any(each.startswith("publish") for each in outbox.happened)
    assert registry.get_sample_value("clerkwork_change_order_violations_total") == 1


async def _refuse(_changes: Sequence[Change], *, sent: asyncio.Event) -> None:
    assert sent
    raise ConnectionError


async def test_a_batch_that_failed_leaves_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fetched meanwhile is forgotten, and nothing uses the connection any more."""
    outbox = Outbox(1, 2, 3)
    carrier, _ = _carrier(outbox)
    tasks = asyncio.all_tasks()

    monkeypatch.setattr(outbox, "publish", _refuse)
    with pytest.raises(ConnectionError):
        await carrier.carry()

    assert carrier.position == 0
    assert asyncio.all_tasks() <= tasks
