"""Verify a Svix signature over raw bytes. No I/O, and total: any bytes in, one verdict out.

https://docs.svix.com/receiving/verifying-payloads/how-manual. A signature that stands first and is
right is recognized here, over the bytes as they came; the svix library, which takes four times as
long, has the last word on everything else. What it raises beyond its documented error is caught:
a signature that does not split or decode is a ValueError there.
"""

from __future__ import annotations

import base64
import hmac
import re
from binascii import b2a_base64
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from svix.webhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOLERANCE_S: Final = 300
"""How far a delivery's timestamp may be from now, as Svix's libraries have it."""

ID: Final = "svix-id"
TIMESTAMP: Final = "svix-timestamp"
SIGNATURE: Final = "svix-signature"

_SECRET_SHAPE: Final = re.compile(r"whsec_(?:[A-Za-z0-9+/]{4}){4,}[A-Za-z0-9+/]{0,3}={0,2}")
_ID_SHAPE: Final = re.compile(r"[!-~]{1,128}")
_TIMESTAMP_SHAPE: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURES_SHAPE: Final = re.compile(r"[!-~]+( [!-~]+)*")
_MAX_SIGNATURES_LENGTH: Final = 4096
"""Svix keeps at most ten old keys and signs with each: far below this."""


class Verdict(Enum):
    """What a delivery turned out to be."""

    OK = "ok"
    MISSING = "missing"
    """A header is not there."""
    MALFORMED = "malformed"
    """A header is there and cannot be one of Svix's."""
    STALE = "stale"
    """The timestamp is outside the window."""
    UNREADABLE = "unreadable"
    """The body is not UTF-8, so no library can have signed it as text."""
    FORGED = "forged"
    """No secret of ours made any of the signatures."""


class Signed(NamedTuple):
    """What the three headers say."""

    id: str
    timestamp: str
    signatures: str


class Verifier(NamedTuple):
    """Knows one secret."""

    key: bytes
    """What the secret stands for."""
    webhook: Webhook
    """The library's verifier with it."""

    def recognizes(self, body: bytes, signed: Signed) -> bool:
        """Tell whether the first signature is right, which the library would look at first too."""
        head = f"{signed.id}.{signed.timestamp}.".encode()
        digest = hmac.digest(self.key, head + body, "sha256")
        first = signed.signatures.partition(" ")[0].encode(errors="replace")
        return hmac.compare_digest(b"v1," + b2a_base64(digest, newline=False), first)


def build_webhooks(secrets: Sequence[str]) -> tuple[Verifier, ...]:
    """Return a verifier for each secret. Raises ValueError where one is not `whsec_<base64>`."""
    # The library skips what is not base64, so that a mistyped secret would verify nothing later.
    if not all(_SECRET_SHAPE.fullmatch(secret) for secret in secrets):
        raise ValueError("not a Svix signing secret: expected whsec_ and base64")
    return tuple(
        Verifier(
            key=base64.b64decode(secret.removeprefix("whsec_") + "=="), webhook=Webhook(secret)
        )
        for secret in secrets
    )


def verify(
    body: bytes, headers: Mapping[str, str], *, webhooks: Sequence[Verifier], now_s: float
) -> Verdict:
    """Tell whether one of `webhooks` signed `body`. Never raises.

    `headers` are matched as given: lower-case names, or a case-insensitive mapping.
    """
    signed = Signed(headers.get(ID, ""), headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, ""))
    if "" in signed:
        return Verdict.MISSING
    if not _well_formed(signed):
        return Verdict.MALFORMED
    if abs(now_s - int(signed.timestamp)) > TOLERANCE_S:
        return Verdict.STALE
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Verdict.UNREADABLE
    verdict = Verdict.FORGED
    for verifier in webhooks:
        if verifier.recognizes(body, signed):
            return Verdict.OK
        verdict = _compare(verifier.webhook, text, signed)
        if verdict is Verdict.OK:
            break
    return verdict


def _well_formed(signed: Signed) -> bool:
    return bool(
        _ID_SHAPE.fullmatch(signed.id)
        and _TIMESTAMP_SHAPE.fullmatch(signed.timestamp)
        and len(signed.signatures) <= _MAX_SIGNATURES_LENGTH
        and _SIGNATURES_SHAPE.fullmatch(signed.signatures)
    )


def _compare(webhook: Webhook, text: str, signed: Signed) -> Verdict:
    headers = {ID: signed.id, TIMESTAMP: signed.timestamp, SIGNATURE: signed.signatures}
    try:
        webhook.verify(text, headers)
    except WebhookVerificationError:
        return Verdict.FORGED
    except ValueError:
        return Verdict.MALFORMED
    return Verdict.OK
