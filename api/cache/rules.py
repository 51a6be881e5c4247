"""Rules: which answers are kept, for how long, and what drops them before. Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Invalidation = Literal["event", "time"]

CACHEABLE: Final = ("show_user", "show_post", "list_posts")
"""The names of the endpoints that have a public view, which is the same for whoever may see it."""

MAX_TTL_S: Final = 86_400

_RULE: Final = re.compile(r"([\w*?\[\]-]+)\s*=\s*([0-9]{1,6})s/(\w+)", re.ASCII)
_EXCLUSION: Final = re.compile(r"!\s*([\w*?\[\]-]+)", re.ASCII)


class Rule(NamedTuple):
    """How long answers are kept."""

    ttl_s: int
    invalidation: Invalidation
    """`event`: until what they tell of changes, and no longer than the ttl; `time`: for the ttl."""


class Policy(NamedTuple):
    """What an operator decides of the cache."""

    rules: Mapping[str, Rule]
    """Name of an endpoint -> how long its answers are kept; of the others nothing is."""
    max_bytes: int
    stale_s: float
    """How old an answer may be that is given while PostgreSQL is away."""


class _Line(NamedTuple):
    pattern: str
    rule: Rule | None
    """None excludes."""


def parse_rules(text: str) -> Mapping[str, Rule]:
    """Return endpoint name -> rule as in `show_*=60s/event, list_*=10s/time, !list_users`.

    Patterns are as in a shell; of several that fit a name the first counts, and an exclusion
    always. Raises ValueError, also for a pattern that fits nothing that can be kept.
    """
    lines = [_parse_line(part.strip()) for part in text.split(",") if part.strip()]
    for line in lines:
        if not any(fnmatchcase(name, line.pattern) for name in CACHEABLE):
            raise ValueError(f"each pattern must fit one of {', '.join(CACHEABLE)}")
    chosen = {name: _choose(name, lines) for name in CACHEABLE}
    return {name: rule for name, rule in chosen.items() if rule}


def _parse_line(text: str) -> _Line:
    if exclusion := _EXCLUSION.fullmatch(text):
        return _Line(exclusion[1], None)
    found = _RULE.fullmatch(text)
    if not found or found[3] not in get_args(Invalidation):
        raise ValueError("each rule must be like show_user=60s/event, list_*=10s/time or !list_*")
    if not 1 <= int(found[2]) <= MAX_TTL_S:
        raise ValueError(f"each ttl must be from 1 to {MAX_TTL_S} seconds")
    return _Line(found[1], Rule(int(found[2]), "event" if found[3] == "event" else "time"))


def _choose(name: str, lines: Sequence[_Line]) -> Rule | None:
    fitting = [line.rule for line in lines if fnmatchcase(name, line.pattern)]
    return None if None in fitting or not fitting else fitting[0]
