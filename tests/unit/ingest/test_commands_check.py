"""Bodies of commands: what cannot be applied is refused, by field and without its value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.commands.bodies import NEW_POST, POST_FIELDS
from ingest.commands.check import MAX_FIELD, MOST_PROBLEMS, check_body
from schema.http.errors import HttpError
from schema.kafka.commands import MAX_BODY, MAX_TITLE
from schema.postgres.user_data import USER_DATA

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def problems_of(body: bytes, shape: TypeAdapter[Any]) -> dict[str, str]:
    """Return field -> reason."""
    with pytest.raises(HttpError) as caught:
        check_body(body, shape)
    error = caught.value
    assert (error.status, error.code) == (400, "INVALID_BODY")
    assert error.details
    problems: Any = error.details["problems"]
    assert error.details["field"] == problems[0]["field"]
    return {each["field"]: each["reason"] for each in problems}


def post(**fields: object) -> bytes:
    """Return a good post but for these fields."""
    return json.dumps({"title": "A day", "body": "It rained."} | fields).encode()


def test_a_post_is_a_draft_unless_it_says_otherwise() -> None:
    """Nobody publishes by forgetting a field."""
    assert check_body(post(), NEW_POST).status == "draft"
    assert check_body(post(status="published"), NEW_POST).status == "published"


@pytest.mark.parametrize(
    ("title", "body"),
    [("x", ""), ("x" * MAX_TITLE, "y" * MAX_BODY), ("😀" * MAX_TITLE, "é\n\t\r"), (" x ", " ")],
)
def test_what_fits_is_taken_as_it_is(title: str, body: str) -> None:
    """Characters count, not bytes; nothing is trimmed or rewritten."""
    found = check_body(post(title=title, body=body), NEW_POST)

    assert (found.title, found.body) == (title, body)


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (post(title=""), "title", "at least 1 character"),
        (post(title=" \n\u2003"), "title", "blank"),
        (post(title="x" * (MAX_TITLE + 1)), "title", "at most 200 characters"),
        (post(body="x" * (MAX_BODY + 1)), "body", "at most 50000 characters"),
        (post(title="x" * 1_000_000), "title", "at most 200 characters"),
        (post(title=None), "title", "valid string"),
        (post(title=7), "title", "valid string"),
        (post(body=["x"]), "body", "valid string"),
        (post(status="deleted"), "status", "'draft' or 'published'"),
        (post(status=None), "status", "'draft' or 'published'"),
        (post(title="a\0b"), "title", "U+0000"),
        (post(body="a\0b"), "body", "U+0000"),
        (post(title="\ud800"), "title", "surrogate"),
        (post(body="x\udfff"), "body", "surrogate"),
        (post(user_id="user_2"), "user_id", "not known"),
        (b'{"title": "x"}', "body", "is missing"),
        (b'{"title": "x", "title": "y", "body": ""}', "title", "comes twice"),
        (b'{"title": "x", "body": {"a": 1, "a": 2}}', "a", "comes twice"),
        (b'{"title": "x", "body": NaN}', "$", "NaN"),
        (b'{"title": "x", "body": 1e999}', "body", "valid string"),
        (b'{"title": "x", "body": ' + b"9" * 5000 + b"}", "$", "is not JSON"),
        (b'{"title": "x",', "$", "is not JSON"),
        (b"", "$", "is not JSON"),
        (b"[]", "$", "must be an object"),
        (b"null", "$", "must be an object"),
        (b"[" * 200_000, "$", "nested too deeply"),
        (b'{"title": "\xff"}', "$", "is not UTF-8"),
        ("\ufeff{}".encode(), "$", "is not JSON"),
        ('{"title": "x"}'.encode("utf-16"), "$", "is not UTF-8"),
    ],
)
def test_what_cannot_be_a_post_is_named(body: bytes, field: str, reason: str) -> None:
    """One field, and in words what is the matter with it."""
    problems = problems_of(body, NEW_POST)

    assert list(problems) == [field]
    assert reason in problems[field]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (b"{}", "$", "at least one of title, body and status"),
        (b'{"title": null}', "title", "valid string"),
        (b'{"status": null}', "status", "'draft' or 'published'"),
        (b'{"title": ""}', "title", "at least 1 character"),
        (b'{"id": "x"}', "id", "not known"),
    ],
)
def test_what_changes_nothing_or_cannot_be_is_named(body: bytes, field: str, reason: str) -> None:
    """A field is left out or given; null is no value of any."""
    problems = problems_of(body, POST_FIELDS)

    assert list(problems) == [field]
    assert reason in problems[field]


def test_only_the_fields_that_are_there_are_given() -> None:
    """The others are left as they are, also those whose default looks like a value."""
    found = check_body(b'{"status": "draft", "body": ""}', POST_FIELDS)

    assert found.model_dump(exclude_unset=True) == {"status": "draft", "body": ""}


@pytest.mark.parametrize(
    ("key", "body", "field"),
    [
        ("preferences", b'{"theme": "dark"}', "notifications"),
        (
            "preferences",
            b'{"theme":"dark","notifications":1,"language":"en","timezone":"Europe/Lisbon"}',
            "notifications",
        ),
        (
            "preferences",
            b'{"theme":"dark","notifications":true,"language":"en","timezone":"Nowhere"}',
            "timezone",
        ),
        ("feature_flags", b'{"Bad Name": true}', "Bad Name"),
        ("feature_flags", b'{"a": "true"}', "a"),
        ("feature_flags", b"[]", "$"),
        ("feature_flags", json.dumps({f"f{n}": True for n in range(101)}).encode(), "$"),
        (
            "onboarding_status",
            b'{"step":"welcome","completed":false,"started_at":"2026-02-30T00:00:00.000Z"}',
            "started_at",
        ),
        (
            "onboarding_status",
            b'{"step":"complete","completed":true,"started_at":null,"completed_at":null}',
            "started_at",
        ),
    ],
)
def test_data_has_the_shape_of_its_key(key: Any, body: bytes, field: str) -> None:
    """As it is kept and read; the first problem's field is named."""
    assert next(iter(problems_of(body, USER_DATA[key]))) == field


def test_neither_values_nor_long_names_are_repeated() -> None:
    """What somebody sends by mistake, a secret above all, is not in the answer or its log."""
    body = json.dumps({"title": 7, "status": "hunter2", "body": "x", "é" * 999: "hunter2"})
    with pytest.raises(HttpError) as caught:
        check_body(body.encode(), NEW_POST)

    told = f"{caught.value.message} {caught.value.details}"
    assert "hunter2" not in told
    assert "é" * MAX_FIELD in told
    assert "é" * (MAX_FIELD + 1) not in told


def test_many_problems_are_told_in_part() -> None:
    """A body of a thousand wrong fields is no answer of a thousand lines."""
    body = json.dumps({f"field{number}": 1 for number in range(1000)})

    assert len(problems_of(body.encode(), NEW_POST)) == MOST_PROBLEMS


SHAPES: list[TypeAdapter[Any]] = [NEW_POST, POST_FIELDS, *USER_DATA.values()]
TEXTS = st.text(st.characters(exclude_categories=())) | st.sampled_from(["x", "draft", "a-flag"])
NAMES = TEXTS | st.sampled_from(["title", "body", "status", "theme", "step", "started_at"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda each: st.lists(each) | st.dictionaries(NAMES, each),
)


@settings(max_examples=200, deadline=None)
@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_a_value_or_a_readable_refusal(body: bytes) -> None:
    """Nothing else comes out, and what is told can be sent."""
    assert all(_outcome(body, shape) for shape in SHAPES)


def _outcome(body: bytes, shape: TypeAdapter[Any]) -> bytes:
    try:
        return shape.dump_json(check_body(body, shape))
    except HttpError as error:
        return f"{error.message} {json.dumps(error.details)}".encode()
