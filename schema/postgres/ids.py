"""Keys derived from Clerk's ids, so that any event can name a row that has not arrived yet.

UUID version 5 (RFC 9562 §5.5): the same id in, the same key out, in every rebuild.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from functools import lru_cache
from typing import Final

from asyncpg.pgproto.pgproto import UUID

NAMESPACE: Final = uuid.UUID("6f1c3f0e-6f0c-5b60-9a44-6b1f0d0c5a11")
"""Ours alone; changing it changes every key."""
_NAMESPACE: Final = NAMESPACE.bytes


UUID_PATTERN: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
"""Our ids, in the one way to write them that is accepted; upper case is as good."""
_UUID: Final = re.compile(UUID_PATTERN, re.ASCII)


def parse_uuid(text: str) -> uuid.UUID | None:
    """Return the key that `text` is, None where it is none; Python's own parser takes much more."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


@lru_cache(maxsize=8192)  # one event names a user several times, and users' events come in bursts
def derive_id(clerk_id: str) -> uuid.UUID:
    """Return the primary key of the row that stands for `clerk_id`."""
    # As uuid.uuid5 does, in a third of the time: every event names one or more. asyncpg's own UUID
    # is a uuid.UUID that is made of bytes, hashed and sent by C.
    digest = bytearray(hashlib.sha1(_NAMESPACE + clerk_id.encode(), usedforsecurity=False).digest())
    digest[6] = digest[6] & 0x0F | 0x50  # the version
    digest[8] = digest[8] & 0x3F | 0x80  # the variant
    return UUID(bytes(digest[:16]))


def derive_post_id(clerk_user_id: str, command_id: str) -> uuid.UUID:
    """Return the key of the post that a user's command creates: it tells whose it is.

    UUID version 8 (RFC 9562 §5.8): 60 bits from the author, 62 from the command.
    """
    packed = _digest(clerk_user_id)[:8] + _digest(command_id)[:8]
    return _stamp(packed)


def is_author(post_id: uuid.UUID, clerk_user_id: str) -> bool:
    """Say whether the id of a post is one that only this user can have made."""
    packed = _digest(clerk_user_id)[:8] + post_id.bytes[8:]
    return post_id == _stamp(packed)


def _digest(text: str) -> bytes:
    return hashlib.sha256(NAMESPACE.bytes + text.encode()).digest()


def _stamp(packed: bytes) -> uuid.UUID:
    value = int.from_bytes(packed)
    value = value & ~(0xF << 76) | 8 << 76  # the version
    value = value & ~(0x3 << 62) | 2 << 62  # the variant
    return uuid.UUID(int=value)
