"""Describe the API: every endpoint, and what they have in common."""

from __future__ import annotations

from typing import Final

from api import canary, changes, data, events, organizations, posts, sessions, users
from api.declare import ADMISSION
from schema.http.openapi.codes import Service

ENDPOINTS: Final = (
    *users.ENDPOINTS,
    *posts.ENDPOINTS,
    *data.ENDPOINTS,
    *sessions.ENDPOINTS,
    *events.ENDPOINTS,
    *organizations.ENDPOINTS,
    *changes.ENDPOINTS,
    *canary.ENDPOINTS,
)
"""All that the API answers, beside the probes."""

SERVICE: Final = Service(
    title="clerkwork API",
    description=(
        "Users and what they wrote, as PostgreSQL has them.\n\n"
        "Send Clerk's session token as `Authorization: Bearer …`, or let the browser send its"
        " cookie `__session`. Callers see themselves whole and of others the public profile;"
        " administrators see everything.\n\n"
        "Every answer has an `X-Request-ID`, and where requests are limited `RateLimit` says how"
        " many are left. An error has the shape `ErrorEnvelope`. Whatever can be got with GET can"
        " be asked about with HEAD."
    ),
    address="http://127.0.0.1:8081",
    signed_in=(*ADMISSION, "INSUFFICIENT_SCOPE"),
)
"""What the document says beside them."""
