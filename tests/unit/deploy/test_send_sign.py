"""Signing as Svix does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from deploy.errors import OperatorError
from deploy.sign import new_event_id, new_signing_secret, sign
from ingest.verify import Verdict, build_webhooks, verify

BODY = '{"type":"user.created","data":{"first_name":"Zoë"}}'.encode()


def test_what_we_sign_ingest_believes() -> None:
    """Signer and verifier agree over the raw bytes, characters beyond ASCII included."""
    secret = new_signing_secret()
    headers = sign(BODY, secret=secret, event_id=new_event_id())

    verdict = verify(BODY, headers, webhooks=build_webhooks([secret]), now_s=time.time())

    assert verdict is Verdict.OK


def test_another_secret_signs_otherwise() -> None:
    """Every installation has its own secret, and no other opens its door."""
    headers = sign(BODY, secret=new_signing_secret(), event_id=new_event_id())

    verdict = verify(
        BODY, headers, webhooks=build_webhooks([new_signing_secret()]), now_s=time.time()
    )

    assert verdict is Verdict.FORGED


def test_a_signature_is_of_its_time() -> None:
    """The time that is signed is the time that was asked for."""
    secret, moment = new_signing_secret(), datetime.now(UTC) - timedelta(minutes=6)
    headers = sign(BODY, secret=secret, event_id=new_event_id(), at=moment)

    verdict = verify(BODY, headers, webhooks=build_webhooks([secret]), now_s=time.time())

    assert verdict is Verdict.STALE


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%%", "not base64!!"])
def test_what_is_no_secret_is_refused_in_words(secret: str) -> None:
    """A mistyped secret is the operator's to correct; it is not repeated in the message."""
    with pytest.raises(OperatorError, match="whsec_ and base64"):
        sign(BODY, secret=secret, event_id=new_event_id())
