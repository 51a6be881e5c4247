"""Step 3: what to enter in Clerk's dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.connect.events import list_kept, list_needed, list_unwanted

if TYPE_CHECKING:
    from deploy.connect.visit import Visit

DASHBOARD: Final = "https://dashboard.clerk.com/~/webhooks"
"""As Clerk's guide has it: https://clerk.com/docs/guides/development/webhooks/syncing"""


def tell_registration(visit: Visit, url: str) -> None:
    """Print the endpoint and the events."""
    visit.tell(f"In Clerk's dashboard: Webhooks ({DASHBOARD}), Add Endpoint.")
    visit.tell("Endpoint URL:")
    visit.tell(url, indent="      ")
    visit.tell("Subscribe to these, which change rows here:")
    for line in _lines(list_needed()):
        visit.tell(line, indent="      ")
    visit.tell("Not needed, and only recorded: " + ", ".join(list_kept()))
    visit.tell(
        "Leave out " + ", ".join(list_unwanted()) + ": they carry one-time codes, which are taken"
        " out before anything is kept."
    )
    visit.tell("One that is there already for this URL needs no second. Then Create.")


def _lines(types: list[str]) -> list[str]:
    """Return a line for each family of types."""
    families: dict[str, list[str]] = {}
    for name in types:
        families.setdefault(name.partition(".")[0], []).append(name)
    return ["  ".join(names) for names in families.values()]
