"""Times of Clerk's, from milliseconds to the calendar and back, whatever the year."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from schema.kafka.clerk import EPOCH, MAX_MS, time_from_ms


@given(st.integers(0, MAX_MS) | st.integers(0, 2**32 * 1000))
@example(2**31 * 1000 - 1)
@example(2**31 * 1000)
@example(MAX_MS)
def test_a_time_is_exact(ms: int) -> None:
    """To the millisecond: nothing is lost in a float."""
    assert time_from_ms(ms) - EPOCH == timedelta(milliseconds=ms)
