"""Resume: read on where a caller left off, or say that this cannot be done any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.authorize import admit
from api.page import invalid
from api.read import read_changes
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from api.database import Pool
    from api.page import ChangesPage
    from api.read import Changes
    from schema.http.tokens.claims import Caller


class CursorExpiredError(HttpError):
    """What came after the cursor is no longer kept, or is not in the history of this database."""

    def __init__(self) -> None:
        super().__init__(
            "CURSOR_EXPIRED",
            "The changes after this cursor are no longer kept. Take a snapshot anew: get"
            " `/v1/changes?since=now`, then read the lists, then go on from its `next_cursor`.",
        )


async def read_on(pool: Pool, *, caller: Caller, page: ChangesPage) -> Changes:
    """Return the part of the changes that `page` asks for.

    Raises HttpError: 403 where the caller is shut out, CursorExpiredError, 400 for a cursor that
    cannot have been given yet, DatabaseUnavailableError.
    """
    found = await read_changes(pool, caller=caller, page=page)
    admit(found.standing)
    check_since(page.since, found)
    return found


def check_since(since: int | None, found: Changes) -> None:
    """Return where nothing is missing after `since`. Raises HttpError 410 or 400."""
    if since is None or found.forgotten <= since <= found.head:
        return
    # Between the newest change and now: given before the database was restored from a backup.
    if since <= max(found.clock, found.head):
        raise CursorExpiredError
    raise invalid("since", "INVALID_CURSOR", "The cursor is from the future.")


def next_position(found: Changes) -> int:
    """Return where to go on: after the page, or at the end of what there is.

    So the cursor of a caller whom nothing concerns moves on too, and does not expire.
    """
    return found.changes[-1].position if found.more else found.head
