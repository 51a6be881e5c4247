"""The console and the groups of its commands, which the modules beside this one add."""

from __future__ import annotations

from typing import Final

from cyclopts import App, Group

app: Final = App(
    name="clerkwork",
    help="Clerk users in your Postgres, like clockwork.",
    version_flags=(),
)
WHOLE: Final = Group.create_ordered("The whole")
SINGLE: Final = Group.create_ordered("One process, in the foreground")
CLERK: Final = Group.create_ordered("Clerk")
UPKEEP: Final = Group.create_ordered("Upkeep")
LETTERS: Final = Group.create_ordered("What died")
