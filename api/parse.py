"""Parse the ids in paths: text in, keys out. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from api.page import invalid
from schema.http.tokens.claims import CLERK_USER_ID
from schema.postgres.ids import derive_id, parse_uuid

if TYPE_CHECKING:
    from uuid import UUID

    from schema.http.errors import HttpError

ORGANIZATION_PATTERN: Final = "org_[A-Za-z0-9_-]{1,128}"
"""What Clerk's ids of organizations look like, with room to spare."""
EVENT_PATTERN: Final = "[!-~]{1,128}"
"""A svix-id, a command's id, or a record's place: printable ASCII without spaces."""

_ORGANIZATION: Final = re.compile(ORGANIZATION_PATTERN, re.ASCII)
_EVENT: Final = re.compile(EVENT_PATTERN, re.ASCII)


def parse_user_id(text: str) -> UUID:
    """Return the key that `text`, our id or Clerk's, stands for. Raises HttpError 400."""
    if key := parse_uuid(text):
        return key
    if CLERK_USER_ID.fullmatch(text):
        return derive_id(text)
    raise _wrong("The id of a user is a UUID or Clerk's `user_…`.")


def parse_post_id(text: str) -> UUID:
    """Return the key that `text` is. Raises HttpError 400."""
    if key := parse_uuid(text):
        return key
    raise _wrong("The id of a post is a UUID.")


def parse_organization_id(text: str) -> UUID:
    """Return the key that `text`, our id or Clerk's, stands for. Raises HttpError 400."""
    if key := parse_uuid(text):
        return key
    if _ORGANIZATION.fullmatch(text):
        return derive_id(text)
    raise _wrong("The id of an organization is a UUID or Clerk's `org_…`.")


def parse_event_id(text: str) -> str:
    """Return `text` where it can be the id of an event. Raises HttpError 400."""
    if _EVENT.fullmatch(text):
        return text
    raise _wrong("The id of an event is up to 128 printable characters, such as `msg_…`.")


def _wrong(message: str) -> HttpError:
    return invalid("id", "INVALID_ID", message)
