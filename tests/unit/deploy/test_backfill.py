"""Backfill, but for the servers: what is gone on with, what is written, what is said."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rich.console import Console
from rich.progress import Progress
from tenacity import wait_none

from deploy.backfill import publish as module
from deploy.backfill.note import Sweep, goes_on
from deploy.backfill.publish import publish, write_page
from deploy.backfill.resources import MEMBERSHIPS, USERS
from deploy.backfill.run import Filled, Wishes
from deploy.backfill.settings import BackfillSettings
from deploy.backfill.settle import Failure, Outcomes
from deploy.backfill.show import Course, showing
from deploy.backfill.summarise import tell_end
from deploy.backfill.sweep import Swept
from deploy.clerk.page import Page, Seen
from deploy.errors import OperatorError
from schema.kafka.producer import BrokerUnavailableError, Producer, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schema.kafka.producer import Stored

BEGAN = datetime(2026, 5, 1, 12, 30, 0, 123_000, tzinfo=UTC)


def make_sweep(**changes: Any) -> Sweep:
    """Return a sweep through users that has finished."""
    return Sweep(
        **{
            "resource": "users",
            "cursor": None,
            "seen": 10,
            "published": 10,
            "started_at": BEGAN,
            "finished_at": BEGAN,
            "fresh": True,
            **changes,
        }
    )


def make_page(*ids: str, unreadable: tuple[bytes, ...] = ()) -> Page:
    """Return a page of users."""
    return Page(
        things=tuple(
            msgspec.json.encode({"id": each, "updated_at": 2, "created_at": 1}) for each in ids
        ),
        seen=tuple(Seen(id=each, updated_at=2, created_at=1) for each in ids),
        cursor="1.x",
        clock_ms=3,
        unreadable=unreadable,
    )


def test_one_that_broke_off_is_gone_on_with() -> None:
    """With what it has finished before; what other backfills did is done anew."""
    users = make_sweep()
    organizations = make_sweep(resource="organizations", finished_at=None, cursor="50.1.org_1")
    memberships = make_sweep(resource="memberships", started_at=BEGAN - timedelta(days=9))

    assert goes_on([users, organizations, memberships]) == [users, organizations]


@pytest.mark.parametrize("changes", [{}, {"finished_at": None, "fresh": False}])
def test_what_is_finished_or_long_ago_begins_anew(changes: dict[str, Any]) -> None:
    """A finished one by itself; one that broke off long ago, since Clerk has changed much since."""
    assert goes_on([make_sweep(**changes)]) == []


def test_snapshots_bear_the_time_of_the_beginning() -> None:
    """In whole milliseconds, so that the ledger's time is the same as the note's."""
    [record] = write_page("user", make_page("user_1"), seen_ms=make_sweep().started_ms).records
    body = msgspec.json.decode(record.value or b"")

    assert make_sweep().started_ms == 1_777_638_600_123
    assert body["timestamp"] == make_sweep().started_ms


def test_a_page_that_is_published_again_has_the_same_ids() -> None:
    """So what was published twice is applied once."""
    first, second = (write_page("user", make_page("user_1"), seen_ms=5).records for _ in range(2))

    assert first == second
    assert first != write_page("user", make_page("user_1"), seen_ms=6).records


def test_what_overlaps_is_published_once() -> None:
    """Pages without a cursor begin with what the one before ended with."""
    first = write_page("user", make_page("user_1", "user_2"), seen_ms=5)
    second = write_page("user", make_page("user_2", "user_3"), seen_ms=5, before=first.ids)

    assert [record.key for record in second.records] == [b"user_3"]
    assert (first.seen, second.seen) == (2, 1)


def test_what_only_a_walk_cannot_read_is_published() -> None:
    """Workers judge it; what says of nobody whom it is about is named, if it has a name."""
    odd = (b'{"id":"user_2","updated_at":7}', b'{"updated_at":7}', b'{"id":7}', b"[]")
    written = write_page("user", make_page("user_1", unreadable=odd), seen_ms=5)

    assert [record.key for record in written.records] == [b"user_1", b"user_2"]
    assert written.unreadable == ("", "", "")
    assert written.seen == 5


class _Flaky(Producer):
    """Acknowledges at the last of some attempts."""

    def __init__(self, failures: int) -> None:
        self.left, self.sent = failures, list[tuple[Record, ...]]()

    async def send_all(self, records: Sequence[Record]) -> list[Stored]:
        self.sent.append(tuple(records))
        self.left -= 1
        if self.left >= 0:
            raise BrokerUnavailableError
        return []


async def test_a_page_is_sent_until_it_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it again, since nobody knows what arrived."""
    monkeypatch.setattr(module._send.retry, "wait", wait_none())
    records = write_page("user", make_page("user_1", "user_2"), seen_ms=5).records
    producer = _Flaky(3)
    await publish(producer, records)

    assert producer.sent == [records] * 4


async def test_a_kafka_that_stays_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that say how to go on."""
    monkeypatch.setattr(module._send.retry, "stop", lambda _: True)
    with pytest.raises(OperatorError, match="run clerkwork backfill again"):
        await publish(_Flaky(1), ())


def make_swept(**changes: Any) -> Swept:
    """Return a resource that is wholly published."""
    fields: dict[str, Any] = {"resource": USERS, "sweep": make_sweep(), "here": 10, "seconds": 2}
    return Swept(**fields | changes)


def test_only_what_is_through_is_sound() -> None:
    """Not what is unreadable, dead, to be tried again, or still waits for workers."""
    dead = Failure(event_id="look_1", clerk_user_id="user_1", outcome="dead", reason="$.x: bad")
    unreadable = make_swept(sweep=make_sweep(published=9))
    failed = make_swept(outcomes=Outcomes(counts={"dead": 1}, failures=(dead,)))
    fine = make_swept(outcomes=Outcomes(counts={"stale": 10}, failures=()))

    def sound(*swept: Swept, left: int | None = 0) -> bool:
        return Filled(swept=swept, left=left, seconds=1).sound

    assert sound(fine, make_swept())
    assert sound(make_swept(), left=None)
    assert not any((sound(unreadable), sound(failed), sound(fine, failed), sound(fine, left=1)))


def test_the_end_is_told_in_ids_and_numbers() -> None:
    """Twenty ids at most of a kind; the log has the others."""
    said = io.StringIO()
    dead = Failure(event_id="look_1", clerk_user_id="user_1", outcome="dead", reason="$.x: bad")
    outcomes = Outcomes(counts={"dead": 1, "applied": 9}, failures=(dead,))
    users = make_swept(outcomes=outcomes)
    memberships = make_swept(
        resource=MEMBERSHIPS,
        sweep=make_sweep(resource="memberships", seen=40, published=18),
        unreadable=tuple(f"orgmem_{n:02}" for n in range(22)),
    )
    filled = Filled(swept=(users, memberships), left=7, seconds=125)
    tell_end(filled, Console(file=said, soft_wrap=True, highlight=False))

    assert said.getvalue().splitlines() == [
        "users: 10 seen, 10 published, 0 unreadable; 2.0 s, 5/s",
        "  in the ledger: 9 applied, 1 dead",
        "  dead: look_1 of user_1: $.x: bad",
        "memberships: 40 seen, 18 published, 22 unreadable; 2.0 s, 5/s",
        *(f"  unreadable: orgmem_{n:02}" for n in range(20)),
        "  and 2 more: the log names them",
        (
            "7 records wait for workers, which have applied nothing for a while. Does clerkwork"
            " worker run, has it stopped a line (clerkwork line show)? What is published is safe,"
            " and is applied when it runs."
        ),
        "Not all is through: 0:02:05 in all.",
    ]


def test_without_a_terminal_a_line_tells_now_and_then() -> None:
    """How many of how many, how fast, how long still; and nothing that only a terminal shows."""
    now = 0.0
    said = io.StringIO()
    course = Course(
        name="users",
        total=2000,
        done=500,
        console=Console(file=said, highlight=False),
        bar=(bar := Progress(disable=True)),
        task=bar.add_task("users"),
        clock=lambda: now,
    )
    now = 5.0
    course.advance(250)
    now = 12.5
    course.advance(500)

    assert said.getvalue() == "users: 1250 of 2000, 60/s, 12 s left\n"


def test_more_than_was_counted_is_no_fault() -> None:
    """Users are created meanwhile."""
    console = Console(file=io.StringIO())
    with showing("users", console, total=2) as course:
        course.advance(3)

    assert (course.done, course.total) == (3, 3)


@pytest.mark.parametrize(("key", "kind"), [("sk_live_1", "production"), ("sk_test_1", "develop")])
def test_the_key_says_which_limit_there_is(
    monkeypatch: pytest.MonkeyPatch, key: str, kind: str
) -> None:
    """Production and development have their own."""
    monkeypatch.setenv("CLERK_SECRET_KEY", key)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@db/d")

    assert BackfillSettings().kind_of_key.startswith(kind)


def test_what_is_wished_for_comes_in_its_own_order() -> None:
    """Whatever the order of the options."""
    some = Wishes(only=("memberships", "users"))

    assert [each.name for each in some.resources] == ["users", "memberships"]
    assert [each.name for each in replace(some, only=()).resources] == [
        "users",
        "organizations",
        "memberships",
    ]
