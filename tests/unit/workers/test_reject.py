"""What PostgreSQL cannot hold is found before it is tried, and named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import make_body, make_record, user_event
from workers.decode import Event, decode


def _decode(body: bytes) -> Event:
    return decode(make_record(body, event_id="msg_1"))


def _with(**data: Any) -> bytes:
    return user_event("user_1", at=0, **data)


def _raw(metadata: str) -> bytes:
    """Return an event whose public_metadata is this text."""
    return _with(public_metadata="HERE").replace(b'"HERE"', metadata.encode())


DEEP = '{"a":' * 5000 + "1" + "}" * 5000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_with(first_name="a\x00b"), "$.data.first_name: holds a NUL"),
        (_with(public_metadata={"a": ["b", "\x00"]}), "$.data.public_metadata.*[1]: holds a NUL"),
        (_with(public_metadata={"a\x00": 1}), "$.data.public_metadata: holds a NUL"),
        (_with(first_name="\ud800"), "$.data.first_name: half of a surrogate pair"),
        (_with(public_metadata={"a": "\udfff"}), "$.data.public_metadata.*: half of a surrogate"),
        (_raw('{"n": 1e131072}'), "$.data.public_metadata.*: a number beyond"),
        (_raw('{"n": -1e999999999}'), "$.data.public_metadata.*: a number beyond"),
        (_raw('{"n": 1e-16384}'), "$.data.public_metadata.*: a number with more decimals"),
        (_raw('{"n": 0.' + "0" * 16383 + "1}"), "$.data.public_metadata.*: a number with more"),
        (_raw('{"n": "' + "x" * 140_000 + '"}'), "$.data.public_metadata: longer than"),
        (_raw(DEEP), "$: not readable"),
        (_with(first_name="x" * 10_000_000), "$.data.first_name: Expected `str` of length <= 2048"),
        (
            _with(email_addresses=[{"id": "idn_1", "email_address": "x" * 400}]),
            "$.data.email_addresses[0].email_address: Expected `str` of length <= 320",
        ),
        (_with(updated_at=10**15), "$.data.updated_at: not a time"),
        (_with(updated_at=10**400), "$.data.updated_at: "),
        (_with(created_at=-1), "$.data.created_at: not a time"),
        (_with(last_active_at=1.5), "$.data.last_active_at: "),
        (make_body("session.created", expire_at=10**18), "$.data.expire_at: not a time"),
        (
            make_body("session.created", latest_activity={"ip_address": "\x00"}),
            "$.data.latest_activity.ip_address: holds a NUL",
        ),
        (
            make_body("organizationMembership.created", permissions=["a", "\x00"]),
            "$.data.permissions[1]: holds a NUL",
        ),
        (make_body("user.created", timestamp=10**17), "$.timestamp: not a time"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_the_field_and_the_reason_are_told(body: bytes, reason: str) -> None:
    """And nothing of the value."""
    event = _decode(body)

    assert event.rows == ()
    assert event.reason is not None
    assert event.reason.startswith(reason)


@pytest.mark.parametrize(
    "body",
    [
        _raw('{"n": 1e131071}'),
        _raw('{"n": 1e-16383}'),
        _raw('{"n": 1e0, "a": "1e99999"}'),
        _raw("null"),
        _raw('{"a": "\\\\u0000"}'),
        _with(first_name="\\u0000"),
        _with(first_name="😀" * 2048),
        _with(unsafe_metadata={"a": "\x00"}),
        _with(private_metadata={"n": "\x00"}),
    ],
    ids=range(9),
)
def test_what_can_be_held_passes(body: bytes) -> None:
    """Also the last that can, an escaped escape, and a NUL where nothing is kept."""
    event = _decode(body)

    assert event.reason is None
    assert event.rows


def test_names_within_metadata_are_not_told() -> None:
    """They are the application's, and may be anybody's."""
    event = _decode(_with(public_metadata={"zoe@example.com": {"x": "\x00"}}))

    assert "zoe" not in (event.reason or "")


def test_a_body_that_is_no_json_at_all_is_dead() -> None:
    """There is no field to name."""
    for body in (
        b"",
        b"{",
        b'{"type":"user.created","data":{"id":"\xff"}}',
        b"1",
    ):
        assert _decode(body).reason
