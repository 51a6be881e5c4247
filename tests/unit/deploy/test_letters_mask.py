"""Mask personal data: only what is known to be harmless is shown."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.letters.mask import MASK, mask_headers, mask_payload, show_headers, show_payload
from schema.kafka.headers import Failure, write_failure_headers

USER = {
    "type": "user.updated",
    "timestamp": 1_767_225_600_000,
    "event_attributes": {"http_request": {"client_ip": "192.0.2.1", "port": 4711}},
    "data": {
        "id": "user_1",
        "external_id": "ada_lovelace",
        "first_name": "Ada",
        "birthday": "1815-12-10",
        "profile_image_id": "ada@example.com",
        "created_at": 1_767_225_600_000,
        "updated_at": "2026-01-01T00:00:00Z",
        "deleted_at": "when Ada left",
        "object": "user",
        "role": "org:admin",
        "status": "Ada Lovelace",
        "banned": False,
        "public_metadata": {"ada": {"id": "user_1", "age": 36}, "none": None},
        "email_addresses": [{"id": "idn_1", "email_address": "ada@example.com"}],
    },
}


def test_ids_types_and_times_are_shown() -> None:
    """And numbers that Clerk counts with; nothing else."""
    masked: Any = json.loads(mask_payload(json.dumps(USER).encode()))
    data = masked["data"]
    shown = {name: value for name, value in data.items() if value != MASK}

    assert shown == {
        "id": "user_1",
        "created_at": 1_767_225_600_000,
        "updated_at": "2026-01-01T00:00:00Z",
        "object": "user",
        "role": "org:admin",
        "banned": False,
        "public_metadata": {f"{MASK}0": {f"{MASK}0": MASK, f"{MASK}1": MASK}, f"{MASK}1": None},
        "email_addresses": [{"id": "idn_1", "email_address": MASK}],
    }
    assert (masked["type"], masked["timestamp"]) == ("user.updated", 1_767_225_600_000)
    assert not re.search(r"\b[Aa]da\b|192|4711|36\b", json.dumps(masked))


def test_the_recorded_webhooks_are_masked(sample: dict[str, bytes]) -> None:
    """No address, no telephone number, no IP address of any of them is left."""
    for name, body in sample.items():
        masked = mask_payload(body)

        assert not re.search(r"@|\+\d{6}|\d{1,3}(\.\d{1,3}){3}", masked), name
        assert json.loads(body)["type"] == json.loads(masked)["type"]


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_payload_can_be_shown(payload: bytes) -> None:
    """Masked or not; of what is no JSON, masked, only the size."""
    assert show_payload(payload) is not None
    masked = mask_payload(payload)
    assert masked == f"{len(payload)} bytes that are not JSON" or json.loads(masked) is not ...


@pytest.mark.parametrize("payload", [b"[" * 100_000, b'"ada"', b"null", None])
def test_odd_payloads_are_masked(payload: bytes | None) -> None:
    """However deep, and where there is none."""
    assert "ada" not in mask_payload(payload)
    assert show_payload(payload)


def test_our_reasons_are_shown_and_those_of_others_are_not() -> None:
    """Headers that nobody here knows are masked too."""
    ours = write_failure_headers(Failure(error_class="bug", error_code="X", message="$.data"))
    theirs = [
        ("kafka_dlt-exception-message", b"ada@example.com"),
        ("__connect.errors.exception.message", b"ada@example.com"),
        ("__dlq.errors.message", b"ada@example.com"),
        ("x-customer", b"ada@example.com"),
        ("kafka_dlt-original-partition", b"\x00\x00\x00\x05"),
    ]

    assert dict(mask_headers(ours))["x-error-message"] == "$.data"
    assert dict(mask_headers(theirs)) == {
        **{name: MASK for name, _ in theirs[:4]},
        "kafka_dlt-original-partition": "0x00000005",
    }
    assert dict(show_headers(theirs))["x-customer"] == "ada@example.com"
    assert show_headers([("null", None), ("escape", b"\x1b[2J")]) == [
        ("null", ""),
        ("escape", "0x1b5b324a"),
    ]
