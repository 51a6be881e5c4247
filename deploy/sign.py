"""Sign a webhook as Svix does for Clerk."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from deploy.errors import OperatorError
from ingest.verify import build_webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY_BYTES: Final = 24
_EVENT_ID_BYTES: Final = 12


def new_signing_secret() -> str:
    """Return a random secret in Svix's spelling."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def new_event_id() -> str:
    """Return a random svix-id."""
    return f"msg_{secrets.token_hex(_EVENT_ID_BYTES)}"


def sign(
    body: bytes, *, secret: str, event_id: str, at: datetime | None = None
) -> Mapping[str, str]:
    """Return the headers with which `body`, UTF-8, is accepted until five minutes after `at` (now).

    Raises OperatorError when `secret` is not a Svix signing secret.
    """
    moment = at or datetime.now(UTC)
    try:
        (signer,) = build_webhooks([secret])
    except ValueError as error:
        raise OperatorError(f"The signing secret is {error}.") from error
    return {
        "content-type": "application/json",
        "svix-id": event_id,
        "svix-timestamp": str(int(moment.timestamp())),
        "svix-signature": signer.webhook.sign(event_id, moment, body.decode()),
    }
