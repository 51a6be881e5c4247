"""Record headers: written and read alike, bounded, and free of what they must not hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.kafka.headers import (
    MAX_MESSAGE_BYTES,
    ChangeHeaders,
    Failure,
    Origin,
    read_headers,
    read_origin,
    read_position,
    without_failure,
    write_change_headers,
    write_failure_headers,
)

ORIGIN = Origin(
    topic="clerk.user-events",
    partition=3,
    offset=9,
    timestamp_ms=1,
    group="clerkwork.projector",
    first_failed_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_an_origin_is_read_as_it_was_written() -> None:
    """Also of a record whose time Kafka does not know."""
    for origin in (ORIGIN, replace(ORIGIN, timestamp_ms=-1)):
        failure = Failure(error_class="poison.decode", error_code="X", message="")

        assert read_origin(write_failure_headers(failure, origin)) == origin


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-original-topic", b"a\x00b"),
        ("x-original-topic", b"\x1b[2J"),
        ("x-original-topic", b"t" * 250),
        ("x-original-partition", b"2147483648"),
        ("x-original-partition", b"-2"),
        ("x-original-offset", b"9223372036854775808"),
        ("x-original-offset", b"9" * 5000),
        ("x-original-timestamp", "١٢".encode()),
        ("x-consumer-group", b"g" * 256),
        ("x-consumer-group", b""),
        ("x-first-failed-at", b"0001-01-01T00:00:00+23:59"),
        ("x-first-failed-at", b"yesterday"),
    ],
)
def test_an_origin_that_no_kafka_has_is_none(name: str, value: bytes) -> None:
    """Whoever wrote it: the ledger's keys and other records' headers are made of it."""
    failure = Failure(error_class="poison.decode", error_code="X", message="")

    assert read_origin([*write_failure_headers(failure, ORIGIN), (name, value)]) is None


@given(st.text(max_size=2000))
def test_error_messages_are_bounded(message: str) -> None:
    """However long the reason, the header stays small and valid UTF-8."""
    text = message.encode(errors="ignore").decode()
    failure = Failure(error_class="poison.decode", error_code="X", message=text)
    headers = dict(write_failure_headers(failure, ORIGIN))

    assert len(headers["x-error-message"]) <= MAX_MESSAGE_BYTES
    assert text.startswith(headers["x-error-message"].decode())


def test_headers_do_not_grow_with_every_failure() -> None:
    """A record that dies twice has the last error once."""
    first = write_failure_headers(
        Failure(error_class="poison.decode", error_code="A", message="first"), ORIGIN
    )
    second = write_failure_headers(
        Failure(error_class="poison.data", error_code="B", message="second"), ORIGIN
    )
    kept = without_failure([("ce_id", b"msg_1"), *first]) + second

    assert len(kept) == 1 + len(second)
    assert read_headers(kept)["x-error-code"] == "B"
    assert read_headers(kept)["ce_id"] == "msg_1"


def test_generic_tools_find_the_headers_they_know() -> None:
    """Kafka Connect's string headers say topic, partition and offset."""
    failure = Failure(error_class="poison.decode", error_code="X", message="m")
    headers = read_headers(write_failure_headers(failure, ORIGIN))

    assert headers["__connect.errors.topic"] == "clerk.user-events"
    assert headers["__connect.errors.partition"] == "3"
    assert headers["__connect.errors.offset"] == "9"


@given(st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=16))))
def test_reading_never_raises(raw: list[tuple[str, bytes | None]]) -> None:
    """Null and non-UTF-8 values of other producers are left out."""
    assert set(read_headers(raw)) <= {name for name, _ in raw}


@given(st.integers(min_value=0, max_value=2**57), st.none() | st.just("urn:clerkwork:x:1"))
def test_the_position_of_a_change_is_read_as_it_was_written(
    position: int, schema: str | None
) -> None:
    """To the microsecond; and CloudEvents' required attributes are there."""
    raw = write_change_headers(
        ChangeHeaders(
            position=position,
            change_type="clerkwork.user.updated",
            source="clerkwork/relay",
            subject="user_1",
            schema=schema,
        )
    )
    headers = read_headers(raw)

    assert read_position(raw) == position
    assert {"ce_specversion", "ce_id", "ce_type", "ce_source"} <= headers.keys()
    assert headers.get("ce_dataschema") == schema
    assert ("content-type" in headers) == bool(schema)


@given(st.lists(st.tuples(st.just("ce_sequence"), st.binary(max_size=40) | st.none())))
def test_a_record_of_somebody_else_has_no_position(raw: list[tuple[str, bytes | None]]) -> None:
    """Whatever its headers hold, nothing is raised, and what is no number is none."""
    last = (raw[-1][1] or b"") if raw else b""

    position = read_position(raw)

    if position is not None:
        assert any((value or b"").isdigit() for _, value in raw)
    elif last.isdigit():
        assert len(last) >= 20
