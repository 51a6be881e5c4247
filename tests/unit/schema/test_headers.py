"""Record headers: written and read alike, bounded, and free of what they must not hold."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schema.kafka.headers import (
    MAX_MESSAGE_BYTES,
    Failure,
    Origin,
    read_headers,
    without_failure,
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
