"""Views: rows as the public answers that are kept, and what each of them tells of. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cache.reads import Loaded
from api.cache.tags import tag_user
from api.present import encode, present_user

if TYPE_CHECKING:
    from schema.postgres.rows import UsersRow


def view_profile(user: UsersRow) -> Loaded:
    """Return what every signed-in user sees of a living one."""
    return Loaded(encode(present_user(user, fully=False)), (tag_user(user.id),))
