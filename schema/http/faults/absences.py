"""What is asked for is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.http.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENCES: Final[Mapping[str, Fault]] = {
    "NOT_FOUND": Fault(
        404,
        "There is no such route.",
        "A misspelt path.",
        "Compare with `/docs`.",
    ),
    "USER_NOT_FOUND": Fault(
        404,
        "There is no such user for the caller.",
        "The user was deleted, was never there, or their webhook has not arrived yet.",
        "For one's own user ask again soon; `min_version` waits.",
    ),
    "UNKNOWN_DATA_KEY": Fault(
        404,
        "There is no such key of the data.",
        "A misspelt key.",
        "Set preferences, feature_flags or onboarding_status.",
    ),
    "POST_NOT_FOUND": Fault(
        404,
        "There is no such post for the caller.",
        "It was deleted, was never there, is another's draft, or its command is not applied yet.",
        "For one's own post follow the `status_url` of its command.",
    ),
    "ORGANIZATION_NOT_FOUND": Fault(
        404,
        "There is no such organization for the caller.",
        "It was deleted, was never there, or the caller is not a member.",
        "Join it, or wait for the membership's webhook.",
    ),
    "EVENT_NOT_FOUND": Fault(
        404,
        "There is no such event for the caller.",
        "It is not recorded yet, was never sent, or is about somebody else.",
        "For one's own event ask again soon; `Prefer: wait=10` waits.",
    ),
    "CANARY_NOT_FOUND": Fault(
        404,
        "There is no such canary.",
        "The id is not a canary's, or none has flown yet.",
        "Only `clerkwork canary` asks here.",
    ),
    "METHOD_NOT_ALLOWED": Fault(
        405,
        "The route does not know this method.",
        "Another method than those in the header Allow.",
        "Use one of them.",
    ),
    "CURSOR_EXPIRED": Fault(
        410,
        "What came after this cursor is no longer kept.",
        "The caller was away for longer than changes are kept, or the database was restored.",
        "Get `/v1/changes?since=now`, read the lists anew, go on from its `next_cursor`.",
    ),
}
"""Code -> what it stands for."""
