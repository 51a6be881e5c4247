"""Dead letters: ours and other people's, read without ever failing; and what a replay says."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.kafka.headers import MAX_MESSAGE_BYTES, Failure, Origin, write_failure_headers
from schema.kafka.letters import (
    REPLAY_LIMIT,
    UNKNOWN,
    WITHHELD,
    Letter,
    is_ours,
    read_letter,
    write_replay_headers,
)
from tests.factories import make_record
from workers.decode import decode

FAILED_AT = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = [("ce_id", b"msg_1"), ("ce_type", b"user.updated"), ("ce_subject", b"user_1")]
OURS = write_failure_headers(
    Failure(error_class="poison.decode", error_code="UNREADABLE_EVENT", message="$.data: missing"),
    Origin(
        topic="clerk.user-events",
        partition=3,
        offset=9,
        timestamp_ms=7,
        group="clerkwork.projector",
        first_failed_at=FAILED_AT,
    ),
)
SPRING = [
    ("kafka_dlt-original-topic", b"orders"),
    ("kafka_dlt-original-partition", struct.pack(">i", 5)),
    ("kafka_dlt-original-offset", struct.pack(">q", 2**40)),
    ("kafka_dlt-original-timestamp", struct.pack(">q", 1_767_225_600_000)),
    ("kafka_dlt-exception-fqcn", b"org.example.OrderException"),
    ("kafka_dlt-exception-message", b"ada@example.com is unknown"),
]
CONNECT = [
    ("__connect.errors.topic", b"orders"),
    ("__connect.errors.partition", b"5"),
    ("__connect.errors.offset", b"1099511627776"),
    ("__connect.errors.exception.class.name", b"org.example.Outer$Inner"),
    ("__connect.errors.exception.message", b"ada@example.com is unknown"),
]
SHARE_GROUP = [
    ("__dlq.errors.topic", b"orders"),
    ("__dlq.errors.partition", b"5"),
    ("__dlq.errors.offset", b"1099511627776"),
    ("__dlq.errors.group", b"billing"),
    ("__dlq.errors.delivery.count", b"4"),
    ("__dlq.errors.message", b"Offset rejected by client."),
]
NAMES = [name for name, _ in [*EVENT, *OURS, *SPRING, *CONNECT, *SHARE_GROUP]]
NAMES += ["x-attempt", "x-replay-count", "x-edited"]
VALUES = (
    st.none()
    | st.binary(max_size=700)
    | st.text(max_size=300).map(lambda text: text.encode(errors="ignore"))
)


def test_our_own_letters_are_read() -> None:
    """The event, the last error, the first origin; our own headers before Connect's, in it too."""
    attempts = [("x-attempt", b"4"), ("x-replay-count", b"2"), ("x-edited", b"true")]

    assert read_letter([*EVENT, *OURS, *attempts]) == Letter(
        event_id="msg_1",
        type="user.updated",
        clerk_user_id="user_1",
        error_class="poison.decode",
        error_code="UNREADABLE_EVENT",
        reason="$.data: missing",
        attempts=4,
        first_failed_at=FAILED_AT,
        replays=2,
        edited=True,
        source_topic="clerk.user-events",
        source_partition=3,
        source_offset=9,
        source_timestamp_ms=7,
    )


@pytest.mark.parametrize(
    ("headers", "error_class", "attempts"),
    [
        (SPRING, "org.example.OrderException", 1),
        (CONNECT, "org.example.Outer$Inner", 1),
        (SHARE_GROUP, "share-group", 4),
    ],
)
def test_foreign_letters_are_read(
    headers: list[tuple[str, bytes]], error_class: str, attempts: int
) -> None:
    """Where they come from and the class; their words are withheld."""
    letter = read_letter(headers)

    origin = (letter.source_topic, letter.source_partition, letter.source_offset)
    assert origin == ("orders", 5, 2**40)
    assert (letter.error_class, letter.attempts, letter.reason) == (error_class, attempts, WITHHELD)
    assert "ada" not in repr(letter)
    assert not is_ours(headers)


def test_a_record_without_an_id_is_known_by_its_place() -> None:
    """As the ledger knows it."""
    record = make_record(None, topic="clerk.user-events", partition=3, offset=9, headers=[])

    assert read_letter(OURS).event_id == decode(record).event_id == "clerk.user-events-3-9"


def test_a_letter_that_says_nothing_is_one_too() -> None:
    """Of an unknown class."""
    assert read_letter([]) == Letter(error_class=UNKNOWN)


@given(st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), VALUES), max_size=20))
def test_reading_never_raises(raw: list[tuple[str, bytes | None]]) -> None:
    """Whatever the bytes, it fits the index: bounded, no NUL, no number too large."""
    letter = read_letter(raw)

    texts = [value for value in vars(letter).values() if isinstance(value, str)]
    assert all("\x00" not in text for text in texts)
    assert all(len(text.encode()) <= MAX_MESSAGE_BYTES for text in texts)
    for number in (letter.source_partition, letter.attempts, letter.replays):
        assert number is None or 0 <= number < 2**31
    for number in (letter.source_offset, letter.source_timestamp_ms):
        assert number is None or 0 <= number < 2**63
    assert letter.first_failed_at is None or letter.first_failed_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b"2026-01-01T01:00:00+01:00", FAILED_AT),
        (b"2026-01-01T00:00:00", FAILED_AT),
        (b"0001-01-01T00:00:00+14:00", None),
        (b"yesterday", None),
    ],
)
def test_times_are_utc_or_unknown(value: bytes, moment: datetime | None) -> None:
    """Also those that are no times, and those before the first."""
    raw = [("x-error-class", b"bug"), ("x-first-failed-at", value)]

    assert read_letter(raw).first_failed_at == moment


@pytest.mark.parametrize("headers", [OURS, SPRING, CONNECT, SHARE_GROUP])
def test_a_replay_says_nothing_of_the_death(headers: list[tuple[str, bytes]]) -> None:
    """The record's own headers, and that it is replayed."""
    waited = [("x-attempt", b"4"), ("x-retry-at", b"2026-01-01T00:00:00Z")]
    own = [*EVENT, ("x-request-id", b"r"), ("x-null", None)]
    written = write_replay_headers([*own, *headers, *waited], edited=False)

    assert written == [*own[:-1], ("x-null", b""), ("x-replay-count", b"1")]


def test_an_edited_record_stays_marked() -> None:
    """Through every later replay, which are counted on."""
    first = write_replay_headers([*EVENT, *OURS], edited=True)
    second = write_replay_headers([*first, *OURS], edited=False)

    assert second == [*EVENT, ("x-replay-count", b"2"), ("x-edited", b"true")]


def test_past_the_limit_a_letter_is_parked() -> None:
    """Until then it is open."""
    raw, states = [*EVENT, *OURS], list[str]()
    for _ in range(REPLAY_LIMIT + 1):
        states.append(read_letter(raw).state)
        raw = [*write_replay_headers(raw, edited=False), *OURS]

    assert states == ["open"] * REPLAY_LIMIT + ["parked"]
