"""Holding off forgers without ever locking Clerk out."""

from __future__ import annotations

from ingest.throttle import LOOK_S, Throttle


def test_a_source_is_blocked_after_its_forgeries() -> None:
    """The first ones are answered 401, then the door stays shut."""
    throttle = Throttle(forgeries_per_minute=3, clock=lambda: 0.0)
    answers = []
    for _ in range(5):
        answers.append(throttle.blocks("203.0.113.9"))
        throttle.reject("203.0.113.9")

    assert answers == [False, False, False, True, True]


def test_other_sources_are_not_blocked_with_it() -> None:
    """Each address has its own count."""
    throttle = Throttle(forgeries_per_minute=1)
    throttle.reject("203.0.113.9")

    assert not throttle.blocks("203.0.113.10")


def test_a_source_that_signs_rightly_is_never_blocked() -> None:
    """Behind one proxy Clerk and a forger have one address."""
    throttle = Throttle(forgeries_per_minute=1)
    throttle.vouch("203.0.113.9")
    for _ in range(10):
        throttle.reject("203.0.113.9")

    assert not throttle.blocks("203.0.113.9")


def test_a_source_that_is_blocked_is_looked_at_now_and_then() -> None:
    """A forger who shares an address with Clerk cannot keep Clerk out, however long they go on."""
    now = 0.0
    throttle = Throttle(forgeries_per_minute=1, clock=lambda: now)
    throttle.reject("203.0.113.9")
    answers = []
    for _ in range(6):
        answers.append(throttle.blocks("203.0.113.9"))
        now += LOOK_S / 2
    throttle.vouch("203.0.113.9")

    assert answers == [True, True, False, True, False, True]
    assert not throttle.blocks("203.0.113.9")
