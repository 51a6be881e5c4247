"""Step 6: the users who were there before the first webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.backfill.run import Wishes, run_backfill
from deploy.connect.ask import NobodyError

if TYPE_CHECKING:
    from deploy.connect.visit import Visit


def fill(visit: Visit) -> int:
    """Say how much Clerk has, and fetch it if that is wished; return 0 unless that fails."""
    visit.begin(6, "Who was there before")
    run_backfill(Wishes(dry_run=True), visit.console)
    if not visit.wishes.yes and not _is_wished(visit):
        visit.tell("Nothing was fetched.")
        return 0
    return run_backfill(Wishes(), visit.console)


def _is_wished(visit: Visit) -> bool:
    question = "Fetch all of that now? (clerkwork backfill does it at any time)"
    try:
        return visit.person.agrees(question, instead="say --yes")
    except NobodyError as nobody:
        visit.tell(str(nobody))  # the doctor's verdict does not depend on the answer
        return False
