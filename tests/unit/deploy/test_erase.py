"""Whom a record names, and whom it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition

from deploy import console
from deploy.erase.person import Person
from deploy.erase.remove import Found, Removed
from deploy.erase.rows import Tables
from deploy.erase.run import _require_deleted
from deploy.erase.show import tell_consequences, tell_found, tell_removed
from deploy.erase.trails import READERS, Trail
from deploy.errors import OperatorError
from schema.kafka.topics import TOPICS
from schema.postgres.ids import derive_id
from tests.factories import CREATED_MS, make_body, make_record, user_event

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    Record = ConsumerRecord[Any, Any]

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ADA = "user_37ZqAda"
ZOE = "user_37ZqZoe"
PERSON = Person(ADA).knowing(["ada@example.com", "żółw@example.com"])


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":{"created_by":"user_37ZqAda"}}',
        f'{{"user_id":"{derive_id(ADA)}"}}'.encode(),
        b"broken off at user_37ZqAda",
        b'{"to":"ada@example.com"}',
        b'{"to":"\\u017c\\u00f3\\u0142w@example.com"}',
        "żółw@example.com".encode(),
    ],
)
def test_a_record_names_whom_it_holds_an_id_or_an_address_of(body: bytes) -> None:
    """In the value; JSON or not, escaped or not."""
    assert PERSON.is_named(make_record(body))


def test_keys_and_headers_are_looked_at() -> None:
    """A record without a value names too."""
    assert PERSON.is_named(replace(make_record(None), key=ADA.encode()))
    assert PERSON.is_named(make_record(None, subject=ADA))


@pytest.mark.parametrize("text", ["user_37ZqAdam", "a_user_37ZqAda", "user_37Zq", ""])
def test_a_part_of_an_id_is_nobody(text: str) -> None:
    """Ids of other people may begin or end like this one."""
    assert not PERSON.is_named(make_record(text.encode()))


def test_an_address_that_another_has_now_is_theirs() -> None:
    """Clerk gives it to others once it is free; an id stays whose it is."""
    assert not PERSON.is_named(make_record(b"ada@example.com", subject=ZOE))
    assert PERSON.is_named(make_record(b"invited by user_37ZqAda", subject=ZOE))


def test_short_texts_are_not_looked_for() -> None:
    """They would be found anywhere."""
    assert Person(ADA).knowing(["Ada", ""]).texts == frozenset()
    with pytest.raises(OperatorError, match="5 characters"):
        console.app(["erase", ADA, "--also", "Ada"])


def test_letters_about_others_are_not_theirs() -> None:
    """Of a body that could not be read nobody knows better."""
    assert PERSON.owns(make_record(b"", subject=ADA))
    assert not PERSON.owns(make_record(b"", subject=ZOE))
    assert not PERSON.owns(make_record(b""))
    assert PERSON.owns(make_record(b"", topic="clerk.unreadable.dlq"))


def test_addresses_are_learnt_from_snapshots_of_theirs() -> None:
    """Also from one that was never applied; nothing from others' or from what is not readable."""
    theirs = user_event(ADA, at=1, phone_numbers=[{"phone_number": "+15005550213"}])

    assert PERSON.read_addresses(make_record(theirs)) == ["nadia.quill@example.com", "+15005550213"]
    assert PERSON.read_addresses(make_record(user_event(ZOE, at=1))) == []
    assert PERSON.read_addresses(make_record(make_body("session.created"))) == []
    assert PERSON.read_addresses(make_record(b"{")) == []
    assert PERSON.read_addresses(make_record(None)) == []


def _trail(topic: str, *records: Record) -> Trail:
    trail = Trail(place=TopicPartition(topic, 0), begins=0)
    for record in records:
        trail.note(record, PERSON)
    return trail


def test_a_trail_reaches_to_the_last_record() -> None:
    """What lies before goes with it; retention takes the last, a file's age later at most."""
    trail = _trail(
        "clerk.user-events",
        make_record(b"", offset=0, subject=ZOE),
        make_record(b"", offset=1, subject=ADA),
        make_record(b"", offset=2, subject=ADA),
        make_record(b"", offset=3, subject=ZOE),
    )
    first, last = trail.kept_until

    assert (trail.count, trail.end, trail.bystanders) == (2, 3, 1)
    assert first.timestamp() * 1000 == CREATED_MS + 14 * 86_400_000
    assert (last - first).days == 7


def test_a_change_topic_is_told_null() -> None:
    """Then compaction does the rest; a tombstone of theirs is nothing that is left."""
    value = replace(make_record(b"user_37ZqAda", topic="user.changes"), key=ADA.encode())
    null = replace(value, value=None, offset=1)

    assert _trail("user.changes", value).untold == {ADA.encode()}
    assert _trail("user.changes", value, null).untold == set()
    assert _trail("user.changes", value, null).count == 1
    assert _trail("user.changes", null).count == 0


def test_every_topic_that_is_cut_has_a_reader() -> None:
    """Who must have passed what is removed; change topics are never cut."""
    assert READERS.keys() == {topic.name for topic in TOPICS if topic.retention_days}


def _found(*trails: Trail, **tables: Any) -> Found:
    known = {"status": "deleted", "deleted_at": NOW, "erase_at": None, "email": None}
    told = {"rows": {}, "copies": (), **known, **tables}
    return Found(person=PERSON, tables=Tables(**told), trails=trails)


def test_whoever_lives_is_not_removed() -> None:
    """Clerk would bring them back."""
    with pytest.raises(OperatorError, match=r"is not deleted\. Delete them"):
        _require_deleted(_found(status="active", deleted_at=None))
    _require_deleted(_found())
    _require_deleted(_found(status=None, deleted_at=None))


@pytest.mark.parametrize(
    "tables", [{"erase_at": NOW}, {"rows": {"posts": 1}}, {"copies": ("before_rebuild",)}]
)
def test_it_is_not_over_while_a_table_has_something(tables: Any) -> None:
    """Held back, not yet erased, or kept by a rebuild; each is said."""
    found = _found(**tables)

    assert not found.is_over
    assert tell_found(found) != tell_found(_found())


def test_it_is_over_when_only_compaction_is_left() -> None:
    """Once null was told."""
    value = replace(make_record(b"user_37ZqAda", topic="user.changes"), key=ADA.encode())
    told = _trail("user.changes", value, replace(value, value=None, offset=1))

    assert _found().is_over
    assert _found(told).is_over
    assert "compaction takes them" in tell_found(_found(told))[-1]
    assert not _found(_trail("user.changes", value)).is_over
    assert "null is not told yet of 1 keys" in tell_found(_found(_trail("user.changes", value)))[-1]


def test_what_goes_with_it_is_said_before() -> None:
    """How many records of others, and what cannot be done afterwards."""
    theirs = make_record(b"", offset=5, subject=ADA)
    said = tell_consequences(_found(_trail("clerk.user-events", theirs)))

    assert "From 1 partitions 5 older records of others" in said
    assert "rebuild refuses" in said


def test_what_is_left_says_why() -> None:
    """Who has yet to pass it, or which letter is in the way."""
    removed = Removed(
        cut=1,
        carried=2,
        behind={TopicPartition("clerk.org-events", 3): ["theirs", "clerkwork.projector"]},
        obstacles=["clerk.user-events.dlq/0/7"],
    )
    lines = tell_removed(removed)

    assert lines[0] == "1 partitions are cut; 2 letters of others are kept."
    assert "clerk.org-events/3 is left: clerkwork.projector, theirs has not passed it" in lines[1]
    assert "clerkwork dlq show clerk.user-events.dlq/0/7" in lines[2]
