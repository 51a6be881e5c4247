"""From a Kafka record to an event, whatever the record holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.kafka.clerk import EPOCH
from schema.kafka.headers import Failure, Origin, write_failure_headers
from tests.factories import LOOKS, make_body, make_record
from workers.decode import decode
from workers.project import PROJECTIONS
from workers.record import Applied, _event_row


def test_what_the_ledger_keeps_is_read(sample: dict[str, bytes]) -> None:
    """An event knows its id, type, time and user."""
    event = decode(make_record(sample["user.created"], event_id="msg_1", subject="user_1"))

    assert (event.event_id, event.type, event.clerk_user_id, event.reason) == (
        "msg_1",
        "user.created",
        "user_1",
        None,
    )
    assert event.occurred_at == datetime(2026, 1, 1, 0, 0, 0, 32_000, tzinfo=UTC)


def test_every_recorded_webhook_can_be_read(sample: dict[str, bytes]) -> None:
    """And every look at Clerk. None is dead; those of the projected types ask for rows."""
    looks = {name: make_body(name) for name in LOOKS}
    events = {name: decode(make_record(body)) for name, body in {**sample, **looks}.items()}

    assert [name for name, event in events.items() if event.reason] == []
    assert {event.type for event in events.values() if event.rows} == set(PROJECTIONS)


@pytest.mark.parametrize("body", [None, b"", b"\xff", b"{", b"[]", b'{"type":"x"}'])
def test_what_cannot_be_read_says_why(body: bytes | None) -> None:
    """A record that is no event is dead at once, and known by its svix-id all the same."""
    event = decode(make_record(body, event_id="msg_1"))

    assert event.event_id == "msg_1"
    assert event.rows == ()
    assert event.reason is not None
    assert event.occurred_at == EPOCH


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("ce_id", None)],
        [("ce_id", b"\xff\xfe")],
        [("ce_id", b"")],
        [("ce_id", b"a b")],
        [("ce_id", b"x" * 5000)],
        [("ce_id", b"\x00")],
    ],
)
def test_a_record_without_a_usable_id_is_known_by_its_place(
    headers: list[tuple[str, bytes | None]],
) -> None:
    """Whatever other producers put into headers, the ledger can take the key."""
    record = make_record(make_body("user.created"), headers=headers, partition=3, offset=9)

    assert decode(record).event_id == "clerk.user-events-3-9"


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"updated_at": "yesterday"}, "$.data.updated_at"),
        ({"updated_at": None}, "$.data.updated_at"),
        ({"updated_at": -5}, "$.data.updated_at"),
        ({"updated_at": 10**18}, "$.data.updated_at"),
        ({"last_active_at": 10**18}, "$.data.last_active_at"),
        ({"email_addresses": [{"id": 5}]}, "$.data.email_addresses[0].id"),
        ({"email_addresses": "none"}, "$.data.email_addresses"),
        ({"first_name": "a\x00b"}, "$.data.first_name"),
        ({"id": "user_\x00"}, "$.data.id"),
        ({"public_metadata": {"a": "\x00"}}, "$.data.public_metadata.*"),
        ({"public_metadata": []}, "$.data.public_metadata"),
        ({"banned": "yes"}, "$.data.banned"),
    ],
)
def test_a_bad_field_is_named(over: dict[str, Any], field: str) -> None:
    """The reason names the field, and holds nothing of the payload."""
    event = decode(make_record(make_body("user.updated", **over)))

    assert event.type == "user.updated"
    assert event.reason is not None
    assert event.reason.startswith(f"{field}: ")
    assert "yesterday" not in event.reason


def test_a_backslash_before_u0000_is_no_nul() -> None:
    """An escaped backslash before u0000 is harmless text."""
    event = decode(make_record(make_body("user.updated", public_metadata={"a": "\\u0000"})))

    assert event.reason is None


@given(
    st.none() | st.binary(max_size=300),
    st.lists(st.tuples(st.sampled_from(["ce_id", "ce_subject", "x"]), st.none() | st.binary())),
)
def test_no_record_raises(body: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
    """Any bytes in value and headers become an event."""
    assert decode(make_record(body, headers=headers)).event_id


@pytest.mark.parametrize("timestamp", [-1, 2**62, -(2**62)])
def test_a_time_that_no_calendar_holds_stops_nobody(timestamp: int) -> None:
    """Producers choose the times of their records; the ledger takes every one."""
    record = replace(make_record(make_body("user.created")), timestamp=timestamp)

    assert _event_row(Applied(decode(record), "applied"), ()).received_at.year in {1970, 9999}


def test_headers_that_no_kafka_wrote_make_no_place() -> None:
    """The place that stands for a missing id is one that the ledger can keep."""
    failure = Failure(error_class="bug", error_code="X", message="")
    origin = Origin(
        topic="a\x00b",
        partition=0,
        offset=0,
        timestamp_ms=0,
        group="g",
        first_failed_at=EPOCH,
    )
    headers = write_failure_headers(failure, origin)
    record = make_record(make_body("user.created"), headers=headers, partition=3, offset=9)

    assert decode(record).event_id == "clerk.user-events-3-9"


@pytest.mark.parametrize(
    "sample", ["user.updated", "organization.updated", "organizationMembership.updated"]
)
def test_metadata_that_is_no_text_is_named(sample: str) -> None:
    """No webhook of Clerk's can have it; a record of another program's can, and is nobody's bug."""
    body = make_body(sample, public_metadata={"a": "here"}).replace(b"here", b"\xff\xfe")
    event = decode(make_record(body))

    assert event.error_class == "poison.decode"
    assert event.reason
    assert event.reason.startswith("$.data.public_metadata: ")
