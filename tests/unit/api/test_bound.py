"""Places for those who stay."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from api.bound import Places
from schema.http.errors import HttpError


def refusal(places: Places, by: str) -> tuple[int, str]:
    """Return how `by` is refused a place."""
    with pytest.raises(HttpError) as caught, places.taken(by):
        pass
    assert caught.value.headers["Retry-After"]
    return caught.value.status, caught.value.code


def test_places_are_bounded_for_each_and_in_all() -> None:
    """Too many of one caller are their own fault, too many in all are not."""
    places = Places(3, each=2, enough="TOO_MANY_STREAMS", full="STREAMS_EXHAUSTED")
    with ExitStack() as stack:
        stack.enter_context(places.taken("user_1"))
        stack.enter_context(places.taken("user_1"))
        assert refusal(places, "user_1") == (429, "TOO_MANY_STREAMS")
        stack.enter_context(places.taken("user_2"))
        assert refusal(places, "user_3") == (503, "STREAMS_EXHAUSTED")


def test_a_place_is_free_again_however_it_was_left() -> None:
    """Also after an error."""
    places = Places(1, each=1, enough="TOO_MANY_STREAMS", full="STREAMS_EXHAUSTED")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), places.taken("user_1"):
            raise ZeroDivisionError

    with places.taken("user_2"):
        assert refusal(places, "user_1") == (503, "STREAMS_EXHAUSTED")
