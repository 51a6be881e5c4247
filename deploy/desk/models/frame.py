"""What every page has around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Section = Literal["pipeline", "events", "letters", "operations", "audit", ""]
"""Which part of the desk a page belongs to; empty for none."""

State = Literal["good", "slow", "stopped", "unknown"]
"""How something is."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What every page has around it; in templates `frame`."""

    section: Section
    operator: str | None
    """The clerk user id of who is signed in."""
    form_token: str
    """Goes into every form that is posted, as the hidden field `form_token`."""
    now: datetime
    can_sign_out: bool
    """Whether there is a session of the desk's own to end."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something with a name."""

    name: str
    value: str
    title: str = ""
    """More about it, for who wants to know."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many there are of something."""

    name: str
    number: int
    url: str = ""
    """Where those are shown alone; empty where nothing does."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value at a time."""

    at: datetime
    value: float


@dataclass(frozen=True, kw_only=True)
class Option:
    """A choice of a form."""

    value: str
    name: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class ErrorPage:
    """Why there is nothing else to see; error.html."""

    status: int
    title: str
    words: str
    """What is wrong and what to do."""
    request_id: str
    retry_url: str = ""
    """Where to try again; empty where that would not help."""


@dataclass(frozen=True, kw_only=True)
class SignInPage:
    """Who wants to come in; sign_in.html."""

    problem: str
    """Why the last try did not succeed; empty for the first."""
    code: str
    """A one-time code that came with the address; with it, nothing need be pasted."""
    back: str
    """The path to go to afterwards, as the hidden field `back`."""
