"""Step 6: the users who were there before the first webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.backfill.run import Wishes, run_backfill

if TYPE_CHECKING:
    from deploy.connect.visit import Visit


def fill(visit: Visit) -> int:
    """Say how much Clerk has, and fetch it if that is wished; return 0 unless that fails."""
    visit.begin(6, "Who was there before")
    run_backfill(Wishes(dry_run=True), visit.console)
    if not visit.wishes.yes:
        question = "Fetch all of that now? (clerkwork backfill does it at any time)"
        if not visit.person.agrees(question, instead="say --yes"):
            visit.tell("Nothing was fetched.")
            return 0
    return run_backfill(Wishes(), visit.console)
