"""Users, and what belongs to them alone."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, RootModel

from api.answers.pages import Page
from schema.postgres.contracts import PublicProfile, Session, User
from schema.postgres.rows import UsersSignupSource
from schema.postgres.user_data import (
    FeatureFlags,
    LoginHistory,
    NameHistory,
    OnboardingStatus,
    OrAbsent,
    Preferences,
    SessionCount,
    Time,
)


class UserAnswer(RootModel[User | PublicProfile]):
    """A user: in full to themselves and to administrators, to others a public profile."""


class UserPage(Page[User | PublicProfile]):
    """A page of users."""


class SessionPage(Page[Session]):
    """A page of sessions."""


class Data(BaseModel):
    """What is known of a user; a key that was never set is absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preferences: OrAbsent[Preferences] = None
    feature_flags: OrAbsent[FeatureFlags] = None
    onboarding_status: OrAbsent[OnboardingStatus] = None
    session_count: OrAbsent[SessionCount] = None
    last_active: OrAbsent[Time] = None
    login_history: OrAbsent[LoginHistory] = None
    name_history: OrAbsent[NameHistory] = None
    last_clerk_sync: OrAbsent[Time] = None
    signup_date: OrAbsent[Time] = None
    signup_source: OrAbsent[UsersSignupSource] = None


class DataAnswer(BaseModel):
    """What is known of a user, by key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Data


PROFILE: Final[dict[str, Any]] = {
    "id": "f7a1f5e4-6a64-5a1c-93c4-0a4b2a6f6e1d",
    "clerk_id": "user_2mZxQ8vRt4KcYbN1sLdWfHjEaUp",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "username": "ada",
    "image_url": "https://img.clerk.com/ada",
    "created_at": "2026-01-31T12:00:00.000Z",
}
USER: Final[dict[str, Any]] = PROFILE | {
    "email": "ada@example.com",
    "email_verified": True,
    "external_id": None,
    "role": "user",
    "status": "active",
    "public_metadata": {"plan": "pro"},
    "last_sign_in_at": "2026-02-03T08:15:00.000Z",
    "last_active_at": "2026-02-03T09:40:12.345Z",
    "updated_at": "2026-02-01T10:00:00.123Z",
    "deleted_at": None,
    "version": 1_769_940_000_123,
}
SESSION: Final[dict[str, Any]] = {
    "id": "0d3b6f0a-1f7e-5d0b-8d56-4a0a7c1a2b3c",
    "clerk_id": "sess_2n1QyT5uWxGd7RkVbMzPcHfJeLs",
    "user_id": PROFILE["id"],
    "status": "active",
    "impersonated": False,
    "device": "Firefox 147 on macOS",
    "ip_address": "192.0.2.17",
    "last_active_at": "2026-02-03T09:40:12.345Z",
    "expire_at": "2026-02-10T08:15:00.000Z",
    "abandon_at": "2026-03-05T08:15:00.000Z",
    "created_at": "2026-02-03T08:15:00.000Z",
    "updated_at": "2026-02-03T09:40:12.345Z",
}
DATA: Final[dict[str, Any]] = {
    "data": {
        "feature_flags": {"new-editor": True},
        "last_active": "2026-02-03T09:40:12.345Z",
        "preferences": {
            "theme": "dark",
            "notifications": True,
            "language": "pt-BR",
            "timezone": "Europe/Lisbon",
        },
        "session_count": 3,
        "signup_date": "2026-01-31T12:00:00.000Z",
        "signup_source": "clerk",
    }
}
