"""Times and records of commands."""

from __future__ import annotations

import uuid

import msgspec

from ingest.commands.issue import MAX_AHEAD_MS, MOST_USERS, Issued, Times, write_record
from schema.kafka.commands import DataPut, PostChange
from schema.kafka.headers import read_headers

NOW_S = 1_767_225_600.123
NOW_MS = 1_767_225_600_123


def test_two_quick_commands_of_a_user_have_their_order() -> None:
    """Within a millisecond, and when the clock goes back a little."""
    now = NOW_S
    times = Times(lambda: now)
    first, second = times.next("user_1"), times.next("user_1")
    now -= 10
    third = times.next("user_1")

    assert (first, second, third) == (NOW_MS, NOW_MS + 1, NOW_MS + 2)
    assert times.next("user_2") == NOW_MS - 10_000


def test_a_clock_that_was_far_ahead_is_not_followed() -> None:
    """Once it is set right, commands have the right time."""
    now = NOW_S + MAX_AHEAD_MS / 1000 + 1
    times = Times(lambda: now)
    times.next("user_1")
    now = NOW_S

    assert times.next("user_1") == NOW_MS


def test_not_everybody_is_kept() -> None:
    """Memory is bounded; who was forgotten was quiet for long."""
    times = Times(lambda: NOW_S)
    for number in range(MOST_USERS + 5):
        times.next(f"user_{number}")

    assert len(times._latest) == MOST_USERS


def test_a_record_says_what_it_is_to_whoever_reads_headers_alone() -> None:
    """CloudEvents, keyed by the user."""
    post_id = uuid.UUID("4d2c0d0e-5f6a-8b1c-9d3e-7f8a9b0c1d2e")
    record = write_record(
        Issued(
            command=PostChange(id=post_id, user_id="user_1", status="published"),
            event_id="cmd_1",
            issued_ms=NOW_MS,
            request_id="request-1",
        )
    )

    assert (record.topic, record.key) == ("app.user-commands", b"user_1")
    assert record.value == (
        b'{"type":"clerkwork.post.change","timestamp":1767225600123,"data":'
        b'{"id":"4d2c0d0e-5f6a-8b1c-9d3e-7f8a9b0c1d2e","user_id":"user_1","status":"published"}}'
    )
    assert read_headers(record.headers) == {
        "ce_specversion": "1.0",
        "ce_id": "cmd_1",
        "ce_type": "clerkwork.post.change",
        "ce_source": "clerkwork/commands",
        "ce_time": "2026-01-01T00:00:00.123Z",
        "ce_subject": "user_1",
        "content-type": "application/json",
        "x-request-id": "request-1",
    }


def test_data_is_carried_as_json() -> None:
    """Not as text in text."""
    record = write_record(
        Issued(
            command=DataPut(
                user_id="user_1", key="feature_flags", value=msgspec.Raw(b'{"new-editor":true}')
            ),
            event_id="cmd_1",
            issued_ms=NOW_MS,
            request_id="request-1",
        )
    )

    assert record.value
    assert msgspec.json.decode(record.value)["data"]["value"] == {"new-editor": True}
