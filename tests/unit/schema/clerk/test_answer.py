"""What an answer says besides its body."""

from __future__ import annotations

import pytest

from schema.clerk.answer import clock_of, pause_of, refusal_of, says_absent

DATE = "Thu, 01 Jan 2026 00:00:10 GMT"


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("7", 7.0),
        (" 30 ", 30.0),
        ("0", 1.0),
        ("Thu, 01 Jan 2026 00:00:25 GMT", 15.0),
        ("Thu, 01 Jan 2026 00:00:05 GMT", 1.0),
        ("soon", 1.0),
        ("-5", 1.0),
        ("", 1.0),
    ],
)
def test_a_wait_is_read_in_both_ways(wish: str, seconds: float) -> None:
    """Seconds or a date by the sender's own clock; a second where neither can be read."""
    assert pause_of({"Retry-After": wish, "Date": DATE}) == seconds


def test_a_date_without_a_clock_says_little() -> None:
    """Our clock may be hours off."""
    assert pause_of({"Retry-After": DATE}) == 1.0


def test_a_clock_is_read_or_not_there() -> None:
    """Nothing is made up."""
    assert clock_of({"Date": DATE}) == 1_767_225_610_000
    assert clock_of({"Date": "yesterday"}) is None
    assert clock_of({}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"errors":[]}',
        b'{"errors":[{"code":"Nadia Quill is not found"}]}',
        b'{"errors":[{"message":"no code"}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_code_is_not_shown(body: bytes) -> None:
    """Nor is it taken for Clerk's word that something is absent."""
    refusal = refusal_of(400, body)

    assert refusal.code is None
    assert str(refusal) == "Clerk answered 400"
    assert not says_absent(body)
