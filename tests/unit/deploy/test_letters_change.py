"""Change payloads of dead letters, and see what changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import OperatorError
from deploy.letters.change import compact, differ, set_value

PAYLOAD = (
    b'{"type": "user.updated", "data": {"n": 1e400, "list": [{"id": 1.10}], "text": "\\u00fc"}}'
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("assignment", "place", "value"),
    [
        ('data.text="a=b"', ("data", "text"), "a=b"),
        ("$.data.new={}", ("data", "new"), {}),
        ("data.list[0].id = null", ("data", "list", 0, "id"), None),
        ("$.type=7", ("type",), 7),
    ],
)
def test_one_value_is_set(assignment: str, place: tuple[Any, ...], value: object) -> None:
    """By the path that reasons name, replaced or added."""
    found: Any = json.loads(set_value(PAYLOAD, assignment))
    for step in place:
        found = found[step]

    assert found == value


def test_what_is_not_changed_keeps_its_spelling() -> None:
    """Also numbers that no float holds."""
    changed = set_value(PAYLOAD, 'data.list[0].id="idn_1"')

    assert b'"n":1e400' in compact(changed)
    assert set_value(PAYLOAD, "data.text=1").count(b"1.10") == 1


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("data.text", "no path with a value"),
        ("=1", "no path"),
        ("data..id=1", "no path"),
        ("data.text=ada", "not JSON"),
        ("data.text=", "not JSON"),
        ("data.list[7]=1", "no place"),
        ("data.absent.id=1", "no place"),
        ("data.text.id=1", "no place"),
    ],
)
def test_what_cannot_be_set_is_said(assignment: str, complaint: str) -> None:
    """Without repeating the value, which may be personal."""
    with pytest.raises(OperatorError, match=complaint) as refused:
        set_value(PAYLOAD, assignment)

    assert "ada" not in str(refused.value)


def test_a_payload_that_is_no_json_has_no_places() -> None:
    """It is for the editor."""
    with pytest.raises(OperatorError, match="no place"):
        set_value(b"\xff", "data=1")


@given(JSON)
def test_any_json_can_be_set(value: object) -> None:
    """And nothing else changes."""
    changed = json.loads(set_value(b'{"a": 1}', f"b={json.dumps(value)}"))

    assert changed == {"a": 1, "b": value}


def test_the_difference_is_by_line() -> None:
    """Spaces are none; without context only what changed is shown."""
    new = set_value(PAYLOAD, "type=1")

    assert differ(PAYLOAD, compact(PAYLOAD)) == []
    assert differ(PAYLOAD, new, context=0)[3:] == ['-  "type": "user.updated",', '+  "type": 1,']


def test_a_payload_that_was_no_json_can_be_replaced() -> None:
    """What it was is shown as far as it is text."""
    assert differ(b"\xff{", b"{}")[3:] == ["-\\xff{", "+{}"]
    assert differ(None, b"{}")[3:] == ["-null", "+{}"]
    with pytest.raises(OperatorError, match="not JSON"):
        compact(b"{")
