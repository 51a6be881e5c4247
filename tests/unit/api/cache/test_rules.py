"""Which answers are kept, as an operator writes it."""

from __future__ import annotations

import pytest

from api.cache import rules
from api.cache.rules import Rule, parse_rules


@pytest.fixture(autouse=True)
def _endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "CACHEABLE", ("show_user", "show_post", "list_posts"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("show_user=60s/event", {"show_user": Rule(60, "event")}),
        (" show_user = 60s/event , ", {"show_user": Rule(60, "event")}),
        (
            "show_*=60s/event,list_*=10s/time",
            {
                "show_user": Rule(60, "event"),
                "show_post": Rule(60, "event"),
                "list_posts": Rule(10, "time"),
            },
        ),
        (
            "show_post=1s/time, *=60s/event, !list_*",
            {"show_user": Rule(60, "event"), "show_post": Rule(1, "time")},
        ),
        ("!show_?ser, show_*=60s/event", {"show_post": Rule(60, "event")}),
    ],
)
def test_rules_are_chosen_by_pattern(text: str, expected: dict[str, Rule]) -> None:
    """The first that fits; an exclusion always."""
    assert parse_rules(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("show_user", "each rule must be like"),
        ("show_user=60/event", "each rule must be like"),
        ("show_user=60s/never", "each rule must be like"),
        ("show_user=0s/event", "each ttl must be from 1"),
        ("show_user=99999s/event", "each ttl must be from 1"),
        ("show_users=60s/event", "each pattern must fit one of show_user"),
        ("show_user=60s/event,!me", "each pattern must fit one of show_user"),
    ],
)
def test_what_cannot_be_meant_stops_the_start(text: str, problem: str) -> None:
    """A misspelt name would silently keep nothing."""
    with pytest.raises(ValueError, match=problem):
        parse_rules(text)
