"""The shapes of user data: what fits comes back as it was, anything else is refused."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from schema.postgres.rows import UserDataKey
from schema.postgres.tables.user_data import USER_DATA_KEYS
from schema.postgres.user_data import MOST_FLAGS, MOST_HISTORY, USER_DATA

TIME = "2026-01-31T12:00:00.000Z"
EARLIER = "2026-01-31T11:59:59.999Z"
PREFERENCES = {
    "theme": "dark",
    "notifications": False,
    "language": "pt-BR",
    "timezone": "Europe/Lisbon",
}
ONBOARDING = {"step": "profile", "completed": False, "started_at": TIME}
LOGIN = {"timestamp": TIME, "device": "Chrome on Macintosh", "ip": "2001:db8::1", "success": True}
NAME = {"first_name": "Ada", "last_name": None, "timestamp": TIME}

GOOD = [
    ("preferences", PREFERENCES),
    ("preferences", PREFERENCES | {"language": "zh-Hant-TW", "timezone": "UTC"}),
    ("feature_flags", {}),
    ("feature_flags", {"new-editor": True, "a.b_c": False}),
    ("feature_flags", {f"flag{n}": True for n in range(MOST_FLAGS)}),
    ("onboarding_status", ONBOARDING),
    ("onboarding_status", ONBOARDING | {"completed": True, "completed_at": TIME}),
    ("session_count", 0),
    ("session_count", 2**40),
    ("last_active", TIME),
    ("login_history", []),
    ("login_history", [LOGIN, LOGIN, {"timestamp": EARLIER, "success": True}]),
    ("login_history", [LOGIN] * MOST_HISTORY),
    ("name_history", [NAME | {"changed_by": "user_1"}, NAME | {"timestamp": EARLIER}]),
    ("last_clerk_sync", "1970-01-01T00:00:00.000Z"),
    ("signup_date", "2024-02-29T00:00:00.000Z"),
    ("signup_source", "invite"),
]

BAD = [
    ("preferences", {}),
    ("preferences", None),
    ("preferences", PREFERENCES | {"theme": "pink"}),
    ("preferences", PREFERENCES | {"notifications": 1}),
    ("preferences", PREFERENCES | {"notifications": "true"}),
    ("preferences", PREFERENCES | {"language": "english language"}),
    ("preferences", PREFERENCES | {"language": "en\n"}),
    ("preferences", PREFERENCES | {"language": "e"}),
    ("preferences", PREFERENCES | {"timezone": "Europe/Atlantis"}),
    ("preferences", PREFERENCES | {"timezone": "../../etc/passwd"}),
    ("preferences", PREFERENCES | {"timezone": None}),
    ("preferences", PREFERENCES | {"color": "red"}),
    ("feature_flags", []),
    ("feature_flags", {"new-editor": 1}),
    ("feature_flags", {"new-editor": None}),
    ("feature_flags", {"": True}),
    ("feature_flags", {"New": True}),
    ("feature_flags", {"x" * 65: True}),
    ("feature_flags", {f"flag{n}": True for n in range(MOST_FLAGS + 1)}),
    ("onboarding_status", ONBOARDING | {"step": "done"}),
    ("onboarding_status", ONBOARDING | {"completed_at": None}),
    ("onboarding_status", ONBOARDING | {"completed_at": TIME}),
    ("onboarding_status", ONBOARDING | {"started_at": 1_767_312_000_000}),
    ("session_count", -1),
    ("session_count", 1.0),
    ("session_count", "1"),
    ("session_count", True),
    ("last_active", None),
    ("last_active", "2026-01-31T12:00:00Z"),
    ("last_active", "2026-01-31T12:00:00.000+00:00"),
    ("last_active", "2026-02-30T12:00:00.000Z"),
    ("last_active", "2026-01-31T12:00:00.000Z\n"),
    ("last_active", "٢٠٢٦-01-31T12:00:00.000Z"),
    ("login_history", {}),
    ("login_history", [LOGIN | {"device": None}]),
    ("login_history", [LOGIN | {"ip": 1}]),
    ("login_history", [LOGIN | {"success": False}]),
    ("login_history", [LOGIN | {"timestamp": EARLIER}, LOGIN]),
    ("login_history", [LOGIN] * (MOST_HISTORY + 1)),
    ("name_history", [{"first_name": "Ada", "timestamp": TIME}]),
    ("name_history", [NAME | {"changed_by": None}]),
    ("name_history", [NAME | {"timestamp": EARLIER}, NAME]),
    ("last_clerk_sync", ""),
    ("signup_date", 0),
    ("signup_source", "landing-page"),
    ("signup_source", None),
]


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_what_fits_comes_back_as_it_was(key: UserDataKey, value: Any) -> None:
    """What was absent stays absent, what was null stays null."""
    adapter = USER_DATA[key]
    read = adapter.validate_json(json.dumps(value))

    assert json.loads(adapter.dump_json(read)) == value


@pytest.mark.parametrize(("key", "value"), BAD)
def test_anything_else_is_refused(key: UserDataKey, value: Any) -> None:
    """Nothing is converted, cut or guessed."""
    with pytest.raises(ValidationError):
        USER_DATA[key].validate_json(json.dumps(value))


def test_every_key_has_a_shape() -> None:
    """Those that the table takes, those of its row, and no others."""
    assert USER_DATA.keys() == set(USER_DATA_KEYS) == set(get_args(UserDataKey))


def test_what_was_read_does_not_change() -> None:
    """It can be shared."""
    read = USER_DATA["preferences"].validate_json(json.dumps(PREFERENCES))

    with pytest.raises(ValidationError):
        read.theme = "light"
