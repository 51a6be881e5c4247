"""What a request wishes to wait for, and when the wait is over."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.read.awaited import Freshness
from api.wait import (
    DEFAULT_WAIT_S,
    MAX_VERSION,
    MAX_WAIT_S,
    VersionNotReachedError,
    Wish,
    has_reached,
    parse_min_version,
    read_wish,
)
from schema.http.errors import HttpError


@pytest.mark.parametrize(
    ("preferences", "wait_s"),
    [
        (["wait=3"], 3),
        (["wait=0"], 0),
        (["wait=10"], 10),
        (["wait=3600"], MAX_WAIT_S),
        (["Wait = 3"], 3),
        (['wait="3"'], 3),
        (["wait=3; foo=bar"], 3),
        (["respond-async, wait=3"], 3),
        (["respond-async", "wait=3"], 3),
        (["wait=3, wait=7"], 3),
    ],
)
def test_a_preference_is_followed_up_to_a_bound(preferences: list[str], wait_s: int) -> None:
    """However RFC 7240 lets it be written; the first one counts, and the answer says which."""
    wish = read_wish([("min_version", "7")], preferences)

    assert wish == Wish(7, wait_s, preferred=True)
    assert wish.headers == {"Preference-Applied": f"wait={wait_s}"}


@pytest.mark.parametrize(
    "preferences", [[], [""], ["wait"], ["wait=x"], ["wait=-1"], ["wait=1.5"], ['wait="3'], [",;="]]
)
def test_what_is_no_preference_is_ignored(preferences: list[str]) -> None:
    """As RFC 7240 has it; the default applies, and no preference is said to."""
    wish = read_wish([("min_version", "7")], preferences)

    assert wish == Wish(7, DEFAULT_WAIT_S)
    assert wish.headers == {}


def test_without_a_version_there_is_nothing_to_wait_for() -> None:
    """A preference alone asks for nothing."""
    assert read_wish([], ["wait=3"]) is None


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ([("min_version", "7"), ("min_version", "7")], "DUPLICATE_PARAMETER"),
        ([("minversion", "7")], "UNKNOWN_PARAMETER"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(query: list[tuple[str, str]], code: str) -> None:
    """Neither a typo nor a contradiction is silently ignored."""
    with pytest.raises(HttpError) as caught:
        read_wish(query, [])

    assert (caught.value.status, caught.value.code) == (400, code)


@given(st.text() | st.integers().map(str))
@example("0")
@example(str(MAX_VERSION))
@example(str(MAX_VERSION + 1))
@example("٣")
@example("9" * 5000)
def test_any_text_is_a_version_or_a_400(text: str) -> None:
    """Digits, up to 2^53."""
    if re.fullmatch("[0-9]{1,16}", text) and int(text) <= MAX_VERSION:
        assert parse_min_version(text) == int(text)
    else:
        with pytest.raises(HttpError) as caught:
            parse_min_version(text)
        assert (caught.value.status, caught.value.details) == (400, {"field": "min_version"})


@pytest.mark.parametrize(
    ("user", "reached"),
    [
        (None, False),
        (Freshness("active", 6), False),
        (Freshness("active", 7), True),
        (Freshness("banned", 8), True),
        (Freshness("deleted", 0), True),
        (Freshness("pending", 7), True),
    ],
)
def test_when_a_wait_is_over(user: Freshness | None, *, reached: bool) -> None:
    """At the version, or when nothing newer can come."""
    assert has_reached(user, 7) is reached


def test_who_was_only_mentioned_has_reached_nothing() -> None:
    """Not even the version 0; others have."""
    assert not has_reached(Freshness("pending", 0), 0)
    assert has_reached(Freshness("active", 0), 0)


def test_a_wait_in_vain_says_when_to_come_back() -> None:
    """And which wait was applied, where one was preferred."""
    assert VersionNotReachedError(Wish(7, 5)).headers == {"Retry-After": "1"}
    assert VersionNotReachedError(Wish(7, 3, preferred=True)).headers == {
        "Retry-After": "1",
        "Preference-Applied": "wait=3",
    }
