"""The promises that metrics guard, in the words of the README's table."""

from __future__ import annotations

from enum import StrEnum


class Promise(StrEnum):
    """What clerkwork guarantees: a metric guards it where it shows that it is kept or broken."""

    ONLY_CLERK = "Only Clerk gets in"
    SAFE = "A 2xx means it is safe"
    CRASH = "A crash loses nothing"
    ONE_BAD = "One bad event stops nobody"
    BAD_DEPLOY = "A bad deploy does not fill the dead-letter topic"
    SEEN = "What is skipped is seen"
    KEPT = "Nothing that Clerk signed is refused"
    SICK_DATABASE = "A sick database loses nothing"
    TRACED = "“Where is my webhook?” has an answer"
    DEAD_LETTERS = "A dead letter is not the end"
    TOLD = "Every change is told, in order per user"
    AWAY = "Who was away misses nothing, or is told so"
    WRITTEN = "Who has written reads it"
    MATRIX = "One sees what one may see, and no more"
    COMMANDS = "A command counts once"
    CACHE = "What is kept is not outdated"
    DOCUMENTED = "Every answer is the documented one"
    RECONCILED = "What webhooks lost is found"
    NEWCOMERS = "A new user is there at their first request"
    ERASED = "A person who is deleted stays deleted"
