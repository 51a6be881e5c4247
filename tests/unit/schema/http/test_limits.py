"""Rules and windows of rate limits."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.http.limits.rules import ANY, Rule, assign_rules, parse_rules
from schema.http.limits.windows import MemoryWindows

if TYPE_CHECKING:
    from schema.http.limits.windows import Level


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 6000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


async def take(windows: MemoryWindows, rule: Rule, who: str) -> Level:
    """Count a request of `who`; memory can always say."""
    level = await windows.take(rule, who)
    assert level is not None
    return level


def test_rules_are_read_as_they_are_written() -> None:
    """With a count, a window and a scope."""
    text = "create_post=30/minute/user, *=6000/minute/ip,list_users=5/10 seconds/organization"

    assert parse_rules(text) == (
        Rule("create_post", 30, 60, "user"),
        Rule("*", 6000, 60, "ip"),
        Rule("list_users", 5, 10, "organization"),
    )
    assert parse_rules("off") == parse_rules("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "create_post",
        "create_post=0/minute/user",
        "create_post=-1/minute/user",
        "create_post=30/fortnight/user",
        "create_post=30/minute/planet",
        "create_post=30/minute",
        "create_post=30/0 minutes/user",
        "Create=30/minute/user",
        "a=1/minute/ip, a=2/hour/ip",
        "off, a=1/minute/ip",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """At start, not when the first request comes."""
    with pytest.raises(ValueError, match=r"must be like|two rules"):
        parse_rules(text)


def test_own_rules_stand_before_the_default() -> None:
    """In their scope; in the others the default stays."""
    rules = parse_rules("read=1/minute/ip, *=9/minute/ip, *=5/minute/user")
    assigned = assign_rules(rules, ["read", "write"])

    assert set(assigned["read"]) == {rules[0], rules[2]}
    assert set(assigned["write"]) == set(assigned[ANY]) == {rules[1], rules[2]}


def test_a_rule_about_nothing_is_refused() -> None:
    """A misspelt name would limit nobody."""
    with pytest.raises(ValueError, match="there is no raed"):
        assign_rules(parse_rules("raed=1/minute/ip"), ["read"])


async def test_a_window_lets_through_what_it_says() -> None:
    """And tells what is left."""
    windows, rule = MemoryWindows(clock=Clock()), Rule("*", 3, 60, "ip")
    levels = [await take(windows, rule, "a") for _ in range(4)]

    assert [(level.allowed, level.left) for level in levels] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
    ]
    assert (await take(windows, rule, "b")).allowed


async def test_no_burst_where_windows_meet() -> None:
    """A fixed window would let through twice the limit in a moment."""
    clock = Clock()
    windows, rule = MemoryWindows(clock=clock), Rule("*", 10, 60, "ip")
    clock.now += 59.9
    before = [(await take(windows, rule, "a")).allowed for _ in range(10)]
    clock.now += 0.2
    after = [(await take(windows, rule, "a")).allowed for _ in range(10)]

    assert (sum(before), sum(after)) == (10, 1)


@given(
    limit=st.integers(1, 50),
    window_s=st.integers(1, 3600),
    pauses=st.lists(st.floats(0, 4000), max_size=60),
)
async def test_who_waits_as_told_gets_in(limit: int, window_s: int, pauses: list[float]) -> None:
    """Whatever went before."""
    clock = Clock()
    windows, rule = MemoryWindows(clock=clock), Rule("*", limit, window_s, "ip")
    for pause in pauses:
        clock.now += pause / max(limit, 1)
        await take(windows, rule, "a")
    while (level := await take(windows, rule, "a")).allowed:
        assert 0 <= level.wait_s <= window_s
    assert 1 <= level.wait_s <= window_s + 1
    clock.now += level.wait_s

    assert (await take(windows, rule, "a")).allowed


async def test_strangers_fill_no_memory() -> None:
    """Who comes beyond the bound pushes out who has not been seen for longest."""
    windows, rule = MemoryWindows(keys=1000), Rule("*", 3, 60, "ip")
    for number in range(1000):
        await take(windows, rule, f"2001:db8:{number:x}::/64")
    tracemalloc.start()
    try:
        for number in range(20_000):
            await take(windows, rule, f"2001:db9:{number:x}::/64")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(windows) == 1000
    assert grown < 1_000_000


async def test_who_is_seen_again_is_kept() -> None:
    """A greedy client does not lose its count to strangers in between."""
    windows, rule = MemoryWindows(keys=10), Rule("*", 3, 60, "ip")
    allowed = []
    for number in range(40):
        await take(windows, rule, f"stranger {number}")
        allowed.append((await take(windows, rule, "greedy")).allowed)

    assert sum(allowed) <= 6  # two windows at most
