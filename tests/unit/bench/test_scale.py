"""What is made of what growth and cost were measured to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.bench.cost_meter import read_total
from tests.bench.cost_month import Load, find_needs, read_measured
from tests.bench.cost_page import PAGE, WRITERS, table, with_tables
from tests.bench.growth import Rate, median
from tests.bench.growth_backlog import Look, compare_tenths
from tests.bench.growth_events import make_events
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
    return {need.what: need.amount for need in find_needs(read_measured(), load)}


def test_the_page_has_what_was_measured() -> None:
    """The tables of the page are those that the noted measurements make."""
    page = PAGE.read_text()
    assert with_tables(page, read_measured()) == page
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
    assert found["events"] == 2000
    assert found["first_per_s"] == pytest.approx(100)
    assert found["last_per_s"] == pytest.approx(10)
    assert (found["first_mb"], found["last_mb"]) == (80, 150)


def test_a_median_is_of_each_figure() -> None:
    """Each figure has a median of its own."""
    rates = [
        Rate(per_second=n, cpu_us=10 - n, server_us=1, wal_bytes=n, memory_mb=n) for n in (1, 2, 9)
    ]
    assert median(rates) == Rate(per_second=2, cpu_us=8, server_us=1, wal_bytes=2, memory_mb=2)


def test_events_can_be_read_by_a_worker() -> None:
    """Every event that is made says something of a user, and of a session where it is one's."""
    for made in make_events(8, users=10, seed=1):
        event = decode(make_record(made.value, headers=made.headers))
        assert event.rows
        assert not event.reason
        assert event.clerk_user_id == made.user_id


def test_a_table_is_markdown() -> None:
    """Heads, a line, rows."""
    assert table(["", "a"], [["b", "1"]]) == "|  | a |\n| --- | ---: |\n| b | 1 |\n"
