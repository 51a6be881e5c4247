"""Ids in the path."""

from __future__ import annotations

import string
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.parse import parse_user_id
from schema.http.errors import HttpError
from schema.postgres.ids import derive_id

ID = UUID("6f1c3f0e-6f0c-5b60-9a44-6b1f0d0c5a11")
LETTERS = {*string.ascii_letters, *string.digits, "_", "-"}


@pytest.mark.parametrize(
    ("text", "user_id"),
    [
        (str(ID), ID),
        (str(ID).upper(), ID),
        ("user_2abc", derive_id("user_2abc")),
    ],
)
def test_our_ids_and_clerks(text: str, user_id: UUID) -> None:
    """Both name the same rows."""
    assert parse_user_id(text) == user_id


@pytest.mark.parametrize(
    "text",
    [
        "me",
        "1",
        ID.hex,
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f"{ID}\n",
        "user_",
        "user_\x00",
        "user_" + "a" * 129,
        "org_1",
        "",
    ],
)
def test_nothing_else_is_an_id(text: str) -> None:
    """Not even the other ways to write a UUID."""
    with pytest.raises(HttpError) as caught:
        parse_user_id(text)

    assert (caught.value.status, caught.value.code) == (400, "INVALID_ID")
    assert caught.value.details == {"field": "id"}


@given(st.text() | st.text().map("user_{}".format))
def test_no_text_causes_anything_but_a_400(text: str) -> None:
    """Any text is an id of Clerk's form or none at all, and never another error."""
    rest = text.removeprefix("user_")
    good = rest != text and set(rest) <= LETTERS and 1 <= len(rest) <= 128
    found: object
    try:
        found = parse_user_id(text)
    except HttpError as error:
        found = (error.status, error.code)

    assert found == (derive_id(text) if good else (400, "INVALID_ID"))
