"""The tables: their keys, and rows of which nothing is known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.integration.workers.order.facts import Data

if TYPE_CHECKING:
    from tests.integration.workers.order.facts import Version

Key = tuple[Any, ...]
Tables = dict[str, dict[Key, Data]]
"""The name of a table -> its primary key -> the row, JSON parsed."""

KEYS: Final = {
    "users": ("id",),
    "user_names": ("user_id", "version"),
    "user_data": ("user_id", "key"),
    "sessions": ("id",),
    "posts": ("id",),
    "organizations": ("id",),
    "organization_memberships": ("id",),
    "organization_invitations": ("id",),
    "events": ("event_id",),
}
UNSEEN: Final[Version] = (0, 0, b"")
BLANK_USER: Final = (
    dict.fromkeys(
        (
            *("email", "first_name", "last_name", "username", "image_url", "external_id"),
            *("last_sign_in_at", "last_active_at", "created_at", "updated_at", "deleted_at"),
            *("signup_source", "last_event_at", "deletion_event_id", "held_status"),
        )
    )
    | {"email_verified": False, "role": "user", "public_metadata": {}}
    | {"erase_at": False, "restored_at": False}
)
"""Nothing known. The last two say only whether there is one: their values are the clock's."""

BLANK_ORGANIZATION: Final = dict.fromkeys(
    ("name", "slug", "image_url", "created_at", "updated_at", "deleted_at")
) | {"public_metadata": {}}
