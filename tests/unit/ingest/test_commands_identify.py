"""Ids of commands: with a key, the same request is the same command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest.commands.identify import Request, identify, read_key
from schema.http.errors import HttpError

REQUEST = Request(clerk_id="user_1", method="POST", path="/v1/posts")


def test_without_a_key_every_request_is_a_command_of_its_own() -> None:
    """Nothing else tells that two are the same."""
    assert identify(REQUEST, None) != identify(REQUEST, None)
    assert identify(REQUEST, None).startswith("cmd_")


def test_with_a_key_the_id_is_known_before_and_after_a_restart() -> None:
    """It is computed, and this is how: another value would make old repeats new commands."""
    assert identify(REQUEST, "abc") == "cmd_613cb1f16a785ce3a5c4b65f3467c0d7"


@pytest.mark.parametrize(
    "change", [{"clerk_id": "user_2"}, {"method": "PATCH"}, {"path": "/v1/posts/1"}]
)
def test_a_key_is_the_users_and_the_routes(change: dict[str, str]) -> None:
    """The same key of another user, or of another request, is another command."""
    assert identify(replace(REQUEST, **change), "abc") != identify(REQUEST, "abc")
    assert identify(REQUEST, "abd") != identify(REQUEST, "abc")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5"', "8e03978e-40d5"),
        ("8e03978e-40d5", "8e03978e-40d5"),
        ("  abc\t", "abc"),
        ("a b", "a b"),
        ('a"b', 'a"b'),
        (r'"a\"b\\c"', r'a"b\c'),
        ("x" * 255, "x" * 255),
        (f'"{"x" * 255}"', "x" * 255),
    ],
)
def test_a_key_may_be_quoted_or_not(header: str, key: str) -> None:
    """The draft has a quoted string; most clients send the bare characters."""
    assert read_key([header]) == key


@pytest.mark.parametrize(
    "values",
    [
        [""],
        ['""'],
        ["   "],
        ["x" * 256],
        [f'"{"x" * 256}"'],
        ['"abc'],
        ['"a"b"'],
        [r'"a\b"'],
        ['"abc";v=1'],
        ["clé"],
        ["a\x7f"],
        ["\udcff"],
        ["a", "a"],
    ],
)
def test_what_is_no_key_is_refused(values: list[str]) -> None:
    """Rather than taken for another one than was meant."""
    with pytest.raises(HttpError) as caught:
        read_key(values)

    assert (caught.value.status, caught.value.code) == (400, "INVALID_IDEMPOTENCY_KEY")


def test_no_header_is_no_key() -> None:
    """It is optional."""
    assert read_key([]) is None
