"""Restore a deleted user, until maintenance has erased the data that was held back."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from schema.ops.settings import DatabaseSettings, read_settings
from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from workers.tell import Changes, see_posts, tell

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A user who was given back."""

    clerk_id: str
    status: str
    """What it is again."""
    deleted_at: datetime
    """When Clerk had deleted the user."""
    erase_at: datetime
    """When the data would have been erased."""


async def restore(database_url: str, user: str) -> Restored:
    """Give back the user whom a clerk id or the id of the row names.

    Raises OperatorError when there is nothing to give back, and what the driver raises.
    """
    async with connected(database_url, name="clerkwork-restore") as connection:
        key = _read_id(user)
        async with connection.transaction():
            found = await connection.fetchrow(_SQL["restore_user"], key)
            if found and found["status"]:
                # Who was only named is nobody to others, but may have written posts.
                users = frozenset({key}) if found["status"] != "pending" else frozenset()
                posts = await see_posts(connection, [key], shown=False)
                await tell(connection, Changes(created=users, posts=posts))
    if found is None:
        raise OperatorError(f"There is no user {user}.")
    if found["deleted_at"] is None:
        raise OperatorError(f"{found['clerk_id']} is not deleted: there is nothing to restore.")
    if found["erase_at"] is None:
        raise OperatorError(
            f"{found['clerk_id']} was deleted at {found['deleted_at']} and is erased already:"
            " nothing is left to restore."
        )
    return Restored(**found)


def _read_id(user: str) -> uuid.UUID:
    try:
        return uuid.UUID(user)
    except ValueError:
        return derive_id(user)


def run_restore(user: str, console: Console) -> int:
    """Restore a user of the environment's database, say what was done, return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    url = read_settings(DatabaseSettings).database_url.get_secret_value()
    with refusing_in_words():
        done = asyncio.run(restore(url, user))
    console.print(
        f"{done.clerk_id} is restored, {done.status} as before: deleted at {done.deleted_at},"
        f" it was to be erased after {done.erase_at}.",
        markup=False,
        highlight=False,
    )
    return 0
