"""What breaks the readers of a published record is named; what does not passes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from deploy.contracts.evolve import find_breaks

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLISHED: Final[dict[str, Any]] = {
    "$id": "urn:clerkwork:things:1",
    "type": "object",
    "description": "A thing.",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "its name"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "size": {"type": "integer", "minimum": 0},
        "note": {"type": "string"},
        "free": {"type": "object"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    "required": ["id", "name", "kind", "size", "free", "tags", "place"],
}


def _changed(**fields: Any) -> dict[str, Any]:
    """Return the schema with fields replaced, or with None removed."""
    changed = copy.deepcopy(PUBLISHED)
    for name, schema in fields.items():
        changed["properties"].pop(name, None)
        if schema is not None:
            changed["properties"][name] = schema
    return changed


def _said(current: Mapping[str, Any], published: Mapping[str, Any] = PUBLISHED) -> set[str]:
    return {": ".join(each) for each in find_breaks(published, current)}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"note": None}, {"note: is removed"}),
        ({"id": None}, {"id: is removed"}),
        (
            {"size": {"type": "string", "minimum": 0}},
            {
                "size: may not be integer any more, as earlier records may",
                "size: may be string, was integer only",
            },
        ),
        (
            {"size": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}},
            {"size: may be null, was integer only"},
        ),
        (
            {"size": {"type": ["integer", "null"], "minimum": 0}},
            {"size: may be null, was integer only"},
        ),
        (
            {"name": {"type": "string"}},
            {"name: may not be null any more, as earlier records may"},
        ),
        (
            {"kind": {"type": "string", "enum": ["a", "b", "c"]}},
            {'kind: may be "c", for which no reader has a branch'},
        ),
        (
            {"kind": {"type": "string", "const": "a"}},
            {'kind: may not be "b" any more, as earlier records may'},
        ),
        ({"kind": {"type": "string"}}, {'kind: may be anything, was "a" or "b" only'}),
        (
            {"note": {"type": "string", "enum": ["x"]}},
            {'note: is limited to "x"; earlier records are not'},
        ),
        ({"id": {"type": "string"}}, {'id: format was "uuid", is nothing'}),
        (
            {"note": {"type": "string", "format": "date-time"}},
            {'note: format was nothing, is "date-time"'},
        ),
        ({"size": {"type": "integer", "minimum": -1}}, {"size: minimum was 0, is -1"}),
        (
            {"note": {"type": "string", "maxLength": 9}},
            {"note: maxLength was nothing, is 9"},
        ),
        (
            {"tags": {"type": "array", "items": {"type": "integer"}}},
            {
                "tags.[]: may not be string any more, as earlier records may",
                "tags.[]: may be integer, was string only",
            },
        ),
        (
            {"free": {"type": "object", "properties": {"x": {"type": "string"}}}},
            {"free.x: is described where fields had any name and value"},
        ),
        (
            {"free": {"type": "object", "additionalProperties": {"type": "string"}}},
            {'free.*: was true, is {"type": "string"}'},
        ),
        (
            {"place": {"type": "object", "properties": {"town": {"type": "string"}}}},
            {"place.city: is removed"},
        ),
    ],
)
def test_a_field_that_changes_breaks_readers(fields: dict[str, Any], named: set[str]) -> None:
    """Those of now over what is written, or those of then; said by field and reason."""
    assert _said(_changed(**fields)) == named


@pytest.mark.parametrize(
    ("required", "named"),
    [
        (
            [each for each in PUBLISHED["required"] if each != "size"],
            {"size: may be missing, was always there"},
        ),
        (
            [*PUBLISHED["required"], "note"],
            {"note: is required; earlier records may lack it"},
        ),
        (
            [*PUBLISHED["required"], "new"],
            {"new: is added as required; earlier records may lack it"},
        ),
    ],
)
def test_what_is_always_there_stays_so(required: list[str], named: set[str]) -> None:
    """In the records to come and in those that a compacted topic has had for years."""
    assert _said(_changed(new={"type": "string"}) | {"required": required}) == named


def test_a_record_that_closes_breaks_the_next_addition() -> None:
    """Openness is a promise too; and what was closed cannot be added to."""
    closed = PUBLISHED | {"additionalProperties": False}

    assert _said(closed) == {"*: was true, is false"}
    assert _said(_changed(new={"type": "null"}) | {"additionalProperties": False}, closed) == {
        "new: is added where no such field was allowed"
    }


@pytest.mark.parametrize(
    "current",
    [
        PUBLISHED,
        _changed(new={"type": "string"}),
        _changed(new={"type": "object", "additionalProperties": False}),
        _changed(name={"type": ["null", "string"], "title": "Name", "examples": ["x"]}),
        _changed(kind={"type": "string", "enum": ["b", "a"], "deprecated": True}),
        _changed(
            place={
                "type": "object",
                "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
            }
        ),
        PUBLISHED | {"description": "Another thing.", "required": PUBLISHED["required"][::-1]},
    ],
)
def test_an_addition_breaks_nobody(current: dict[str, Any]) -> None:
    """A field that may be missing, other words, another order."""
    assert _said(current) == set()


LEAVES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"type": "string"},
    {"type": "string", "maxLength": 1},
    {"type": "string", "enum": ["a", "bb"]},
    {"const": 1},
    {"type": ["integer", "null"]},
    {"anyOf": [{"type": "null"}, {"type": "integer", "maximum": 1}]},
    {"anyOf": [{"type": "string"}, {"type": "integer"}], "title": "words"},
    {"type": "array", "items": {"type": "string"}},
)
VALUES: Final[tuple[Any, ...]] = (None, 1, 7, "a", "bb", "xyz", [], ["a"], [1])


def _validates(schema: Mapping[str, Any], value: object) -> bool:
    return Draft202012Validator(schema).is_valid(value)


@st.composite
def _records(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a schema of a record with a few fields."""
    names = sorted(draw(st.sets(st.sampled_from("xyz"), min_size=1)))
    fields = {name: draw(st.sampled_from(LEAVES)) for name in names}
    return {"type": "object", "properties": fields, "required": draw(_some(names))}


@st.composite
def _histories(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a schema, and what became of it: each of its parts may be as it was."""
    before, other = draw(_records()), draw(_records())
    others = other["properties"].values()
    fields = {
        name: draw(st.sampled_from([schema, {**schema, "title": "T"}, *others]))
        for name, schema in before["properties"].items()
        if draw(st.integers(0, 9))
    }
    now = {
        "properties": fields | ({} if draw(st.booleans()) else {"new": LEAVES[1]}),
        "required": draw(st.sampled_from([before["required"], other["required"]])),
    }
    return before, before | now


def _some(names: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True)


@st.composite
def _values(draw: st.DrawFn, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Draw a record that holds to a schema, with no fields but its own."""
    record = {}
    for name, field in schema["properties"].items():
        if name in schema["required"] or draw(st.booleans()):
            record[name] = draw(st.sampled_from([v for v in VALUES if _validates(field, v)]))
    return record


@pytest.mark.parametrize("published", LEAVES, ids=str)
def test_whatever_becomes_of_a_field_is_a_break_or_changes_no_value(
    published: dict[str, Any],
) -> None:
    """What either of two schemas takes, the other takes, unless a break is named."""
    for current in LEAVES:
        same = [_validates(published, each) == _validates(current, each) for each in VALUES]

        assert all(same) or _said(current, published), current


@settings(max_examples=300)
@given(history=_histories(), data=st.data())
def test_where_nothing_breaks_old_and_new_records_are_both_valid(
    history: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    """For readers of either schema; and a schema never breaks itself."""
    published, current = history
    assert _said(published, published) == set()
    if _said(current, published) == set():
        assert _validates(published, data.draw(_values(current)))
        assert _validates(current, data.draw(_values(published)))
