"""Who asks is not who may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.http.faults.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLERS: Final[Mapping[str, Fault]] = {
    "UNAUTHENTICATED": Fault(
        401,
        "There is no valid session token.",
        "`details.reason` says: missing, malformed, expired, wrong_issuer, and so on.",
        "Get a new token from Clerk and try again.",
    ),
    "INVALID_SIGNATURE": Fault(
        401,
        "No signature of a webhook matches its body.",
        "Another signing secret, or a body that was changed on its way.",
        "Compare CLERK_WEBHOOK_SIGNING_SECRET with the endpoint's in Clerk.",
    ),
    "STALE_TIMESTAMP": Fault(
        401,
        "A webhook was signed more than 5 minutes from now.",
        "A replay of an old request, or a clock that is wrong.",
        "Svix signs each attempt anew; set the clock.",
    ),
    "INSUFFICIENT_SCOPE": Fault(
        403,
        "The machine's token lacks the scope that is needed.",
        "The token was made without the claim `scope`, or with another one.",
        "Make one with the scope that the header WWW-Authenticate names.",
    ),
    "USER_BANNED": Fault(
        403,
        "The caller is banned.",
        "Somebody banned the user in Clerk; the token is older.",
        "None, until the ban is lifted.",
    ),
    "USER_DELETED": Fault(
        403,
        "The caller was deleted.",
        "The user was deleted in Clerk; the token is older.",
        "None.",
    ),
    "USER_DEPROVISIONED": Fault(
        403,
        "The caller was removed by their organization.",
        "An enterprise directory withdrew the user; the token is older.",
        "None, until the directory brings the user back.",
    ),
    "USERS_ONLY": Fault(
        403,
        "Only a user can ask for this.",
        "The token is a machine's.",
        "Send a user's session token.",
    ),
    "NOT_THE_AUTHOR": Fault(
        403,
        "The post is not the caller's.",
        "The id is one that only another user can have made, or nobody.",
        "None: only its author changes a post.",
    ),
    "DATA_KEY_READ_ONLY": Fault(
        403,
        "This key of the data cannot be set.",
        "It is derived from events.",
        "Set preferences, feature_flags or onboarding_status.",
    ),
    "FORBIDDEN": Fault(
        403,
        "The caller may not see or do this.",
        "It is another user's own business, and the caller is no administrator.",
        "Ask for one's own.",
    ),
}
"""Code -> what it stands for."""
