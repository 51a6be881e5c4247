"""What may go wrong between us and the stand-in, on demand and repeatably."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

Ill = Literal["error", "reset", "slow", "truncated"]
"""A 5xx; the connection cut without an answer; late; an answer that ends before its end."""


@dataclass(kw_only=True)
class Trouble:
    """Change it at any time, also while the stand-in runs."""

    latency_s: float = 0.0
    """How long every answer takes."""
    error_rate: float = 0.0
    """Which share of the requests ends in one of `ills`."""
    ills: tuple[Ill, ...] = ("error", "reset", "slow", "truncated")
    slow_s: float = 0.5
    """How much later the slow ones are."""
    seed: int = 0
    requests_per_10_s: int | None = None
    """How many are answered, 0 for none; None: as many as Clerk allows with the key."""
    offset_cost_s: float = 2e-6
    """How much longer an answer takes for each one that an offset skips."""
    unknown_cursor: Literal["refuse", "empty", "beginning"] = "refuse"
    """What a `starting_after` that is nobody's (any more) does; Clerk does not say."""
    environment_type: str = "development"
    """What the instance says that it is; production and staging are the others."""
    before_answer: Callable[[web.Request], Awaitable[None] | None] | None = None
    """Called with each request that is about to be answered: change the world here."""
    asked: Counter[str] = field(default_factory=Counter)
    """How many requests came, by path (`/users/{id}`)."""
    answered: Counter[int] = field(default_factory=Counter)
    """How many answers went out, by status; those that an ill befell do not count."""

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - trouble is to be repeatable

    def strike(self) -> Ill | None:
        """Return what befalls the next request."""
        if self._random.random() >= self.error_rate:
            return None
        return self._random.choice(self.ills)
