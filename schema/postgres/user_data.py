"""What the values of `user_data` look like, key by key: what is written is read as these shapes.

A key that is said to be optional is absent where there is nothing to say, never null.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from schema.postgres.rows import UserDataKey, UsersSignupSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

MOST_FLAGS: Final = 100
"""So many feature flags a user can have."""
MOST_HISTORY: Final = 1000
"""So long a history can be; WORKER_HISTORY_LIMIT keeps it shorter."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def _check_time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError("not a time as 2026-01-31T12:00:00.000Z")
    datetime.fromisoformat(text)  # no 30th of February
    return text


def _check_timezone(name: str) -> str:
    if name not in _timezones():
        raise ValueError("not the name of a time zone, such as Europe/Lisbon")
    return name


@cache
def _timezones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _refuse_null(value: object) -> object:
    if value is None:
        raise ValueError("absent, never null")
    return value


T = TypeVar("T")
OrAbsent: TypeAlias = Annotated[
    T | None, BeforeValidator(_refuse_null), Field(exclude_if=lambda value: value is None)
]
"""What may be absent, in JSON both ways; None in Python."""

Time: TypeAlias = Annotated[str, AfterValidator(_check_time)]
"""A moment in UTC to the millisecond: 2026-01-31T12:00:00.000Z."""

Timezone: TypeAlias = Annotated[str, AfterValidator(_check_timezone)]
"""A name of the IANA time zone database."""

Language: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")
]
"""A tag of BCP 47, as far as applications use them: en, pt-BR, zh-Hant-TW."""

FlagName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
"""Such as new-editor."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Preferences(_Value):
    """How the user wants the application. Set by the application, for the user."""

    theme: Literal["light", "dark", "system"]
    notifications: bool
    language: Language
    timezone: Timezone


class OnboardingStatus(_Value):
    """How far the user has come in getting started. Set by the application."""

    step: Literal["welcome", "profile", "preferences", "complete"]
    completed: bool
    started_at: Time
    completed_at: OrAbsent[Time] = None

    @model_validator(mode="after")
    def _ends_once_completed(self) -> Self:
        if self.completed_at is not None and not self.completed:
            raise ValueError("completed_at without completed")
        return self


class Login(_Value):
    """A sign-in: a row of `sessions`, not impersonated."""

    timestamp: Time
    """Its created_at."""
    device: OrAbsent[str] = None
    """Browser and device of the first activity known."""
    ip: OrAbsent[str] = None
    """Address of the first activity known."""
    success: Literal[True]
    """Clerk tells of no sign-in that failed."""


class Name(_Value):
    """A name and since when the user has it: a row of `user_names` unlike the one before."""

    first_name: str | None
    last_name: str | None
    timestamp: Time
    """Its version: data.updated_at of the snapshot that had the name first."""
    changed_by: OrAbsent[str] = None
    """Who changed it; absent in what is derived, for Clerk does not say."""


def _check_logins(logins: tuple[Login, ...]) -> tuple[Login, ...]:
    _check_newest_first([login.timestamp for login in logins])
    return logins


def _check_names(names: tuple[Name, ...]) -> tuple[Name, ...]:
    _check_newest_first([name.timestamp for name in names])
    return names


def _check_newest_first(times: list[str]) -> None:
    if times != sorted(times, reverse=True):
        raise ValueError("not newest first")


FeatureFlags: TypeAlias = Annotated[dict[FlagName, bool], Field(max_length=MOST_FLAGS)]
"""Which features are on or off for the user. Set by the application."""

SessionCount: TypeAlias = Annotated[int, Field(ge=0)]
"""How many rows of `sessions` the user has that are not impersonated. Derived."""

LoginHistory: TypeAlias = Annotated[
    tuple[Login, ...], Field(max_length=MOST_HISTORY), AfterValidator(_check_logins)
]
"""The latest sign-ins, newest first by (created_at, id) of `sessions`. Derived."""

NameHistory: TypeAlias = Annotated[
    tuple[Name, ...], Field(max_length=MOST_HISTORY), AfterValidator(_check_names)
]
"""The latest names, newest first, from `user_names` in the order of versions. Derived."""

_STRICT: Final = ConfigDict(strict=True)

USER_DATA: Final[Mapping[UserDataKey, TypeAdapter[Any]]] = {
    # Set by the application.
    "preferences": TypeAdapter(Preferences),
    "feature_flags": TypeAdapter(FeatureFlags, config=_STRICT),
    "onboarding_status": TypeAdapter(OnboardingStatus),
    # Derived from Clerk's events.
    "session_count": TypeAdapter(SessionCount, config=_STRICT),
    # users.last_active_at or that of sessions not impersonated, whichever is later.
    "last_active": TypeAdapter(Time, config=_STRICT),
    "login_history": TypeAdapter(LoginHistory, config=_STRICT),
    "name_history": TypeAdapter(NameHistory, config=_STRICT),
    # users.last_event_at.
    "last_clerk_sync": TypeAdapter(Time, config=_STRICT),
    # users.created_at.
    "signup_date": TypeAdapter(Time, config=_STRICT),
    # "invite" if an invitation that was accepted is no younger than users.created_at, else
    # users.signup_source.
    "signup_source": TypeAdapter(UsersSignupSource, config=_STRICT),
}
"""Key -> what reads and writes its value: `validate_json` refuses all but the shape."""
