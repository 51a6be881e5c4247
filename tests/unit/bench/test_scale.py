"""What is made of what growth and cost were measured to be."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.bench.estimate import NOTED
from tests.bench.events import FORGED_AT, forge, make_events, stamp
from tests.bench.figures.backlog import BEGINNING, END, Look, compare_tenths
from tests.bench.needs import Load, find_needs
from tests.bench.results import read_results
from tests.bench.scale import PAGE, WRITERS, table, with_tables
from tests.bench.wal import read_total
from tests.factories import make_record
from workers.decode import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORT = """\
WAL statistics between 0/1 and 0/2:
Type                           N      (%)          Record size      (%)             FPI size
----                           -      ---          -----------      ---             --------
Heap                         300 ( 30.00)                30000 ( 30.00)              8000000
                        --------                      --------                      --------
Total  1000  100000 [1.23%]  8000000 [98.77%]  8100000 [100%]
"""


def needs(load: Load) -> Mapping[str, float]:
    """Return what is needed -> how much."""
    return {need.what: need.amount for need in find_needs(read_results(NOTED), load)}


def test_the_page_has_what_was_measured() -> None:
    """The tables of the page are those that the noted measurements make."""
    page = PAGE.read_text()
    assert with_tables(page, read_results(NOTED)) == page
    assert set(re.findall(r"<!-- measured: (\w+) -->", page)) == WRITERS.keys()


def test_twice_the_load_needs_twice_as_much() -> None:
    """What is needed for events follows their rate, what is needed for users their number."""
    one = needs(Load(events_per_s=1_000, users=1_000_000))
    two = needs(Load(events_per_s=2_000, users=1_000_000))
    more = needs(Load(events_per_s=1_000, users=3_000_000))
    for what in ("the ledger grows in a month by", "the outbox", "Kafka, written"):
        assert two[what] == pytest.approx(2 * one[what])
        assert more[what] == one[what]
    for what in ("PostgreSQL's rows of users", "Kafka's disk for user.changes, compacted"):
        assert two[what] == one[what]
        assert more[what] == pytest.approx(3 * one[what])


def test_whole_pages_are_read_off_the_report() -> None:
    """Of pg_waldump's statistics the bytes of whole pages are taken, not those of records."""
    assert read_total(REPORT) == 8_000_000


def test_the_tenths_of_a_backlog_are_told_apart() -> None:
    """A worker that becomes slower and larger is seen to."""
    fast = [Look(seconds=n, applied=n * 100, memory_mb=80) for n in range(1, 11)]
    slow = [Look(seconds=10 + n, applied=1000 + n * 10, memory_mb=150) for n in range(1, 101)]
    found = compare_tenths([*fast, *slow])
    assert found[BEGINNING] == {"rate": pytest.approx(100), "memory": 80}
    assert found[END] == {"rate": pytest.approx(10), "memory": 150}


def test_events_can_be_read_by_a_worker() -> None:
    """Every event that is made says something of a user, and of a session where it is one's."""
    for made in make_events(8, users=10, seed=1):
        event = decode(make_record(made.value, headers=made.headers))
        assert event.rows
        assert not event.reason
        assert event.clerk_user_id == made.user_id


def test_events_that_are_stamped_are_others() -> None:
    """The same event at another time has ids and a time of its own, and is as large."""
    (forged,) = forge(1, users=10, seed=1)
    one, two = (stamp(forged, at=1_764_000_000_000 + n) for n in range(2))

    first, second = (decode(make_record(each.value, headers=each.headers)) for each in (one, two))

    assert first.event_id == one.event_id != second.event_id
    assert second.occurred_at - first.occurred_at == timedelta(milliseconds=1)
    assert len(one.value) == len(two.value)
    assert b"%d" % FORGED_AT not in one.value


def test_a_table_is_markdown() -> None:
    """Heads, a line, rows."""
    assert table(["", "a"], [["b", "1"]]) == "|  | a |\n| --- | ---: |\n| b | 1 |\n"
