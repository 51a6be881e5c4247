"""Every way in which a request can fail: the one registry of error codes.

A code is for programs and never changes its meaning; the message beside it is for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(NamedTuple):
    """What a code stands for."""

    status: int
    """The HTTP status it comes with."""
    meaning: str
    """What is the matter."""
    cause: str
    """How that comes about."""
    recovery: str
    """What the caller can do."""


FAULTS: Final[Mapping[str, Fault]] = {
    # The request cannot be read.
    "BAD_REQUEST": Fault(
        400,
        "The request is not readable HTTP.",
        "A broken request line, header, body or encoding, or more than 64 headers.",
        "Send a well-formed request.",
    ),
    "INVALID_ID": Fault(
        400,
        "An id in the path has the wrong shape.",
        "An id of another kind, or one that was cut or escaped.",
        "Send the id as it was given; `details.field` names the part of the path.",
    ),
    "INVALID_CURSOR": Fault(
        400,
        "A cursor cannot be read.",
        "A cursor that was changed, cut, or is from another list.",
        "Send `next_cursor` as it was given, or begin without one.",
    ),
    "INVALID_LIMIT": Fault(
        400,
        "`limit` is not a number from 1 to 100.",
        "A page of that size cannot be asked for.",
        "Send a smaller one, or none.",
    ),
    "INVALID_MIN_VERSION": Fault(
        400,
        "`min_version` is not a version.",
        "Something else than a whole number from 0 to 2^53.",
        "Send `version` as a 202 or a record gave it.",
    ),
    "UNKNOWN_PARAMETER": Fault(
        400,
        "A query parameter is not one of this route.",
        "A misspelt parameter, which would have no effect.",
        "Leave out what `details.field` names.",
    ),
    "DUPLICATE_PARAMETER": Fault(
        400,
        "A query parameter comes twice.",
        "Proxies and frameworks differ in which of the two counts.",
        "Send what `details.field` names once.",
    ),
    "MISSING_HEADER": Fault(
        400,
        "A svix header is not there.",
        "The request is not from Svix, or a proxy drops its headers.",
        "Let svix-id, svix-timestamp and svix-signature through.",
    ),
    "MALFORMED_SIGNATURE": Fault(
        400,
        "A svix header cannot be read.",
        "The request is not from Svix, or a proxy changes its headers.",
        "Let the headers through as they are.",
    ),
    "INVALID_PAYLOAD": Fault(
        400,
        "The body is not UTF-8.",
        "No Svix library can have signed it as text.",
        "Send what was signed.",
    ),
    "INVALID_BODY": Fault(
        400,
        "The body is not what the route takes.",
        "No JSON, a field that is missing, unknown, given twice or of another kind or size.",
        "Correct what `details.problems` names; `details.field` is the first of it.",
    ),
    "INVALID_IDEMPOTENCY_KEY": Fault(
        400,
        "The header Idempotency-Key cannot be read.",
        "It is empty, too long, not printable ASCII, or comes twice.",
        "Send a UUID, of its own for each command.",
    ),
    # The caller is not who is needed.
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
    "NOT_A_USER": Fault(
        403,
        "The caller is a machine, and this is for users.",
        "A machine has no user of its own, no posts and no preferences.",
        "Ask with the session token of a user.",
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
    # What is asked for is not there.
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
    "REQUEST_TIMEOUT": Fault(
        408,
        "The request did not arrive in time.",
        "A sender that is slow or has gone away.",
        "Send it again.",
    ),
    "CURSOR_EXPIRED": Fault(
        410,
        "What came after this cursor is no longer kept.",
        "The caller was away for longer than changes are kept, or the database was restored.",
        "Get `/v1/changes?since=now`, read the lists anew, go on from its `next_cursor`.",
    ),
    "PAYLOAD_TOO_LARGE": Fault(
        413,
        "The body is too large.",
        "More bytes than the route takes.",
        "Send less.",
    ),
    "UNSUPPORTED_MEDIA_TYPE": Fault(
        415,
        "The body is not JSON.",
        "Another Content-Type than application/json.",
        "Send application/json.",
    ),
    "EXPECTATION_FAILED": Fault(
        417,
        "What the header Expect asks for is not known.",
        "Another expectation than 100-continue.",
        "Leave the header out.",
    ),
    "IDEMPOTENCY_KEY_REUSED": Fault(
        422,
        "The idempotency key belongs to another command.",
        "The same key came with another body before.",
        "Make a new key for each command, and keep it for its repeats.",
    ),
    "RATE_LIMITED": Fault(
        429,
        "Too many requests.",
        "More of them than the route's limit lets through in its window.",
        "Wait for the seconds in Retry-After.",
    ),
    "TOO_MANY_STREAMS": Fault(
        429,
        "The caller has enough streams of changes open.",
        "API_STREAMS_PER_USER of them are open.",
        "Close one, or wait for the seconds in Retry-After.",
    ),
    "TOO_MANY_WAITS": Fault(
        429,
        "Enough requests of the caller wait for versions or events.",
        "They wait for what has not arrived yet.",
        "Wait for the seconds in Retry-After.",
    ),
    "HEADERS_TOO_LARGE": Fault(
        431,
        "The request's head is too large.",
        "A request line or a header over 8 KiB, or all of them together over 16 KiB.",
        "Send fewer or shorter ones; cookies of other applications are often the cause.",
    ),
    # We cannot, now.
    "INTERNAL_ERROR": Fault(
        500,
        "Something went wrong on our side.",
        "A bug; the log has it, under the request id.",
        "Try again later; tell the operator the request id.",
    ),
    "BROKER_UNAVAILABLE": Fault(
        503,
        "What was sent is not stored.",
        "Kafka does not acknowledge, or too much waits for it already.",
        "Send it again after the seconds in Retry-After.",
    ),
    "CONNECTIONS_EXHAUSTED": Fault(
        503,
        "Too many connections are open.",
        "HTTP_CONNECTIONS of them are in use, or HTTP_CONNECTIONS_PER_SOURCE of one address.",
        "Use fewer connections for more requests; ask again after the seconds in Retry-After.",
    ),
    "DATABASE_UNAVAILABLE": Fault(
        503,
        "The database does not answer at the moment.",
        "It restarts, is overloaded or away.",
        "Ask again after the seconds in Retry-After.",
    ),
    "KEYS_UNAVAILABLE": Fault(
        503,
        "Tokens cannot be checked at the moment.",
        "Clerk's public keys cannot be fetched, and none that would do is kept.",
        "Ask again after the seconds in Retry-After.",
    ),
    "STREAMS_EXHAUSTED": Fault(
        503,
        "Too many streams of changes are open.",
        "API_STREAMS of them are open in this process.",
        "Ask again after the seconds in Retry-After.",
    ),
    "WAITS_EXHAUSTED": Fault(
        503,
        "Too many requests wait for versions or events.",
        "API_VERSION_WAITS of them wait in this process.",
        "Ask again after the seconds in Retry-After.",
    ),
    "VERSION_NOT_REACHED": Fault(
        504,
        "The user has not reached the version in time.",
        "The event is still on its way, or will never arrive.",
        "Ask again; `Prefer: wait=10` waits for longer.",
    ),
}
"""Code -> what it stands for."""
