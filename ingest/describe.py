"""Describe ingest: every endpoint, and what they have in common."""

from __future__ import annotations

from typing import Final

from ingest import receive
from ingest.commands import data, posts
from schema.http.openapi.codes import Service

ENDPOINTS: Final = (*receive.ENDPOINTS, *posts.ENDPOINTS, *data.ENDPOINTS)
"""All that ingest answers; without keys to verify tokens with, only at the first."""

SERVICE: Final = Service(
    title="clerkwork ingest",
    description=(
        "The door: what comes in here is in Kafka once it is answered.\n\n"
        "A 2xx means that it is stored, on every replica that Kafka waits for. After any other"
        " answer nothing was kept: send it again.\n\n"
        "Every answer has an `X-Request-ID`. An error has the shape `ErrorEnvelope`."
    ),
    address="http://127.0.0.1:8080",
)
"""What the document says beside them."""
