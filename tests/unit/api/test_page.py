"""Pages: limits and cursors."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.page import (
    HISTORY,
    POSTS,
    POSTS_OF_USER,
    SESSIONS,
    USERS,
    ChangesPage,
    Cursor,
    Page,
    decode_cursor,
    decode_position,
    encode_cursor,
    encode_position,
    parse_changes_page,
    parse_limit,
    parse_page,
)
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.page import Listing

CURSOR = Cursor(
    at=datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC),
    id=UUID("6f1c3f0e-6f0c-5b60-9a44-6b1f0d0c5a11"),
)
moments = st.datetimes(timezones=st.just(UTC))
ValueT = TypeVar("ValueT")


def attempt(parse: Callable[[str], ValueT], text: str) -> ValueT | HttpError:
    """Return what `parse` returns or, where it refuses, its error."""
    try:
        return parse(text)
    except HttpError as error:
        return error


@given(moments, st.uuids())
@example(datetime.min.replace(tzinfo=UTC), UUID(int=0))
@example(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
def test_a_cursor_comes_back_as_it_was(at: datetime, row_id: UUID) -> None:
    """To the microsecond, which is what PostgreSQL keeps."""
    cursor = Cursor(at=at, id=row_id)

    for listing in (USERS, POSTS, POSTS_OF_USER, SESSIONS):
        assert decode_cursor(listing, encode_cursor(listing, cursor)) == cursor


@given(moments, st.uuids())
def test_a_cursor_travels_in_a_url_unescaped(at: datetime, row_id: UUID) -> None:
    """Thirty-four characters of the base64url alphabet."""
    text = encode_cursor(USERS, Cursor(at=at, id=row_id))

    assert len(text) == 34
    assert text.replace("-", "").replace("_", "").isalnum()


@given(
    st.text()
    | st.binary(min_size=25, max_size=25).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.binary(min_size=24, max_size=24).map(
        lambda raw: base64.urlsafe_b64encode(b"\x01" + raw).rstrip(b"=").decode()
    )
)
def test_any_text_is_a_cursor_or_a_400(text: str) -> None:
    """What is accepted is what encode_cursor writes, to the letter."""
    result = attempt(partial(decode_cursor, USERS), text)

    if isinstance(result, HttpError):
        assert (result.status, result.code) == (400, "INVALID_CURSOR")
    else:
        assert encode_cursor(USERS, result) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "\udc80",
        encode_cursor(USERS, CURSOR) + "=",
        encode_cursor(USERS, CURSOR) + "\n",
        encode_cursor(USERS, CURSOR)[:-1],
        base64.urlsafe_b64encode(b"\x02" + bytes(24)).rstrip(b"=").decode(),
        base64.urlsafe_b64encode(b"\x01\x7f" + bytes(23)).rstrip(b"=").decode(),
    ],
)
def test_cursors_that_nobody_gave(text: str) -> None:
    """Other versions, other spellings, and times that no calendar has."""
    with pytest.raises(HttpError) as caught:
        decode_cursor(USERS, text)

    assert caught.value.details == {"field": "cursor"}


texts = st.text(max_size=128).filter(lambda text: "\0" not in text)


@given(moments, texts)
@example(datetime(1970, 1, 1, tzinfo=UTC), "msg_2oWkXp7sQyEj9TnVdMzRcHgLfUb")
def test_a_cursor_of_events_comes_back_as_it_was(at: datetime, event_id: str) -> None:
    """Their ids are text."""
    cursor = Cursor(at=at, id=event_id)

    assert decode_cursor(HISTORY, encode_cursor(HISTORY, cursor)) == cursor


@given(st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(b"\5" + raw)))
def test_no_cursor_of_events_holds_what_postgresql_cannot(raw: bytes) -> None:
    """Neither what is not UTF-8 nor NUL."""
    result = attempt(partial(decode_cursor, HISTORY), raw.rstrip(b"=").decode())

    if isinstance(result, HttpError):
        assert result.details == {"field": "cursor"}
    else:
        assert "\0" not in result.id
        result.id.encode()


LISTINGS: list[Listing[UUID]] = [USERS, POSTS, POSTS_OF_USER, SESSIONS]


@pytest.mark.parametrize("other", [*LISTINGS, HISTORY])
@pytest.mark.parametrize("listing", LISTINGS)
def test_a_cursor_of_one_list_is_none_of_another(
    listing: Listing[UUID], other: Listing[Any]
) -> None:
    """Its place would mean something else there."""
    text = encode_cursor(listing, CURSOR)

    if other is listing:
        assert decode_cursor(other, text) == CURSOR
        return
    with pytest.raises(HttpError) as caught:
        decode_cursor(other, text)
    assert caught.value.code == "INVALID_CURSOR"


def test_every_list_has_a_number_of_its_own() -> None:
    """Numbers are what tells their cursors apart."""
    assert len({HISTORY.number, *(listing.number for listing in LISTINGS)}) == 5


@pytest.mark.parametrize(("text", "limit"), [("1", 1), ("20", 20), ("99", 99), ("100", 100)])
def test_limits(text: str, limit: int) -> None:
    """From 1 to 100."""
    assert parse_limit(text) == limit


@given(st.text() | st.integers().map(str))
@example("0")
@example("101")
@example("+5")
@example(" 5")
@example("5.0")
@example("٣")
@example("")
@example("9" * 5000)
def test_any_text_is_a_limit_or_a_400(text: str) -> None:
    """Numbers are ASCII digits, without sign or spaces."""
    result = attempt(parse_limit, text)

    if isinstance(result, HttpError):
        assert (result.status, result.code) == (400, "INVALID_LIMIT")
        assert result.details == {"field": "limit"}
    else:
        assert str(result) == text
        assert 1 <= result <= 100


def test_a_page_has_defaults() -> None:
    """Twenty, from the newest."""
    assert parse_page([], USERS) == Page(limit=20, after=None)


def test_a_page_is_what_was_asked_for() -> None:
    """Both parameters, in either order."""
    query = [("cursor", encode_cursor(USERS, CURSOR)), ("limit", "5")]

    assert parse_page(query, USERS) == Page(limit=5, after=CURSOR)


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ([("limit", "5"), ("limit", "5")], "DUPLICATE_PARAMETER", "limit"),
        ([("cursor", encode_cursor(USERS, CURSOR))] * 2, "DUPLICATE_PARAMETER", "cursor"),
        ([("cursor", "")], "INVALID_CURSOR", "cursor"),
        ([("Limit", "5")], "UNKNOWN_PARAMETER", "Limit"),
        ([("limit", "5"), ("offset", "5")], "UNKNOWN_PARAMETER", "offset"),
        ([("x" * 1000, "")], "UNKNOWN_PARAMETER", "x" * 64),
    ],
)
def test_the_parameter_at_fault_is_named(
    query: list[tuple[str, str]], code: str, field: str
) -> None:
    """Neither a typo nor a contradiction is silently ignored."""
    with pytest.raises(HttpError) as caught:
        parse_page(query, USERS)

    assert (caught.value.status, caught.value.code) == (400, code)
    assert caught.value.details == {"field": field}


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_a_position_comes_back_as_it_was(position: int) -> None:
    """In twelve characters that neither a URL nor a line of a stream has to escape."""
    text = encode_position(position)

    assert decode_position(text, field="since") == position
    assert len(text) == 12
    assert text.replace("-", "").replace("_", "").isalnum()


@given(
    st.text()
    | st.binary(min_size=9, max_size=9).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.binary(min_size=8, max_size=8).map(
        lambda raw: base64.urlsafe_b64encode(b"\x01" + raw).decode()
    )
)
@example("")
@example(encode_position(7) + "=")
@example(encode_position(7) + "\n")
@example(encode_cursor(USERS, CURSOR))
@example(base64.urlsafe_b64encode(b"\x02" + bytes(8)).decode())
def test_any_text_is_a_position_or_a_400(text: str) -> None:
    """What is accepted is what encode_position writes, to the letter; other cursors are not."""
    result = attempt(partial(decode_position, field="Last-Event-ID"), text)

    if isinstance(result, HttpError):
        assert (result.status, result.code) == (400, "INVALID_CURSOR")
        assert result.details == {"field": "Last-Event-ID"}
    else:
        assert encode_position(result) == text


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ([], ChangesPage(limit=20, since=None)),
        ([("since", "now")], ChangesPage(limit=20, since=None)),
        ([("limit", "5"), ("since", encode_position(7))], ChangesPage(limit=5, since=7)),
    ],
)
def test_without_a_place_the_changes_begin_now(
    query: list[tuple[str, str]], page: ChangesPage
) -> None:
    """Whoever wants more says from where on."""
    assert parse_changes_page(query) == page


def test_cursors_keep_microseconds_apart() -> None:
    """Two users of the same millisecond have different places."""
    later = Cursor(at=CURSOR.at + timedelta(microseconds=1), id=CURSOR.id)

    assert encode_cursor(USERS, later) != encode_cursor(USERS, CURSOR)
