"""From a rightly signed body to the record that is published."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.prepare import Delivery, Prepared, Reached, prepare
from schema.kafka.headers import read_headers
from schema.kafka.topics import UNREADABLE
from tests.factories import make_body

INSTANCE = "ins_37ZqG4EnXOsHeVUiC964dWgaVbC"


def _prepare(body: bytes, *, instance_id: str | None = None) -> Prepared:
    delivery = Delivery(body=body, event_id="msg_1", request_id="request-1")
    return prepare(delivery, instance_id=instance_id)


def test_the_body_is_kept_byte_for_byte(sample: dict[str, bytes]) -> None:
    """White space and all: whoever reads the topic can verify the signature again."""
    codes = {"email.created", "email.created.no_user", "sms.created"}
    kept = {name for name, body in sample.items() if _prepare(body).record.value == body}

    assert kept == sample.keys() - codes


def test_headers_are_cloudevents() -> None:
    """The record says what it is without its value being read."""
    headers = read_headers(_prepare(make_body("user.created")).record.headers)

    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": "msg_1",
        "ce_type": "user.created",
        "ce_source": INSTANCE,
        "ce_time": "2026-01-01T00:00:00.032Z",
        "ce_subject": "user_37Zqj8lsjnXARgl7WaUPS8yKPjg",
        "content-type": "application/json",
        "x-request-id": "request-1",
    }


@pytest.mark.parametrize("name", ["user.created", "user.updated", "user.deleted"])
def test_what_can_be_waited_for(name: str, sample: dict[str, bytes]) -> None:
    """The version that the row will have: of a deletion the time of the event, else updated_at."""
    event = json.loads(sample[name])
    expected = event["timestamp"] if name == "user.deleted" else event["data"]["updated_at"]

    reaches = _prepare(sample[name]).reaches

    assert reaches == Reached(user_id=event["data"]["id"], version=expected)


def test_only_events_of_users_can_be_waited_for(sample: dict[str, bytes]) -> None:
    """The others change other rows."""
    waited_for = {name for name, body in sample.items() if _prepare(body).reaches}

    assert waited_for == {name for name in sample if name.startswith("user.")}


@pytest.mark.parametrize(
    ("value", "version"),
    [
        (1_767_225_600, 1_767_225_600_000),
        (None, None),
        ("1767225600000", None),
        (1.5, None),
        (-1, None),
        (10**30, None),
        ([{}], None),
    ],
)
def test_a_time_that_is_none_refuses_no_event(value: object, version: int | None) -> None:
    """It was accepted before there was anything to wait for; whoever applies it will judge."""
    prepared = _prepare(make_body("user.created", updated_at=value))

    assert prepared.status == "accepted"
    assert (prepared.reaches and prepared.reaches.version) == version


def test_without_a_time_there_is_nothing_to_wait_for() -> None:
    """The field or the time of the event can be missing."""
    deleted = make_body("user.deleted").replace(b'"timestamp"', b'"no_timestamp"')
    for body in (make_body("user.created", without=["updated_at"]), deleted):
        assert (_prepare(body).status, _prepare(body).reaches) == ("accepted", None)


@pytest.mark.parametrize("name", ["email.created", "email.created.no_user", "sms.created"])
def test_one_time_codes_are_taken_out(name: str, sample: dict[str, bytes]) -> None:
    """The live code is in no field of the published value; the ids and the address stay."""
    prepared = _prepare(sample[name])
    value = prepared.record.value or b""

    assert b"424242" in sample[name]
    assert b"424242" not in value
    assert json.loads(value)["data"]["id"] == json.loads(sample[name])["data"]["id"]
    assert read_headers(prepared.record.headers)["x-redacted"] == "true"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"type":"user.created"}',
        b'{"type":"user.created","data":{}}',
        b'{"type":"user.created","data":{"id":""}}',
        b'{"type":"user.created","data":{"id":7}}',
        b'{"type":"","data":{"id":"x"}}',
        b'{"type":"' + b"x" * 200 + b'","data":{"id":"x"}}',
        b'{"type":"user.created","data":{"id":"x"},"timestamp":-1}',
        b'{"type":"user.created","data":{"id":"x"},"timestamp":99999999999999999}',
        b'{"type":"user.created","data":{"id":"\\ud800"}}',
    ],
)
def test_what_cannot_be_read_is_quarantined_as_it_came(body: bytes) -> None:
    """The fault is ours to read: the bytes are kept and say why they are there."""
    prepared = _prepare(body)
    headers = read_headers(prepared.record.headers)

    assert prepared.status == "quarantined"
    assert prepared.record.topic == UNREADABLE.name
    assert prepared.record.value == body
    assert headers["x-error-code"] == "UNREADABLE_EVENT"
    assert headers["x-error-message"].startswith("$")


def test_events_of_another_instance_are_quarantined() -> None:
    """Development events that reach production change nothing there, and are not lost."""
    prepared = _prepare(make_body("user.created"), instance_id="ins_other")

    assert prepared.status == "quarantined"
    assert read_headers(prepared.record.headers)["x-error-code"] == "FOREIGN_INSTANCE"


def test_quarantine_keeps_no_codes() -> None:
    """Where the type can be read, the code is taken out of a quarantined event too."""
    prepared = _prepare(make_body("sms.created"), instance_id="ins_other")

    assert b"424242" not in (prepared.record.value or b"")


@pytest.mark.parametrize(
    "broken",
    [
        {"timestamp": "today"},
        {"data": {"user_id": 7, "body": "424242"}},
        {"data": [{"body": "424242"}]},
        {"data": {"user_id": "u", "body": "424242", "name": "\ud800"}},
        {"\ud800": 1},
    ],
)
def test_what_is_wrong_with_an_event_keeps_no_code_in_it(broken: dict[str, object]) -> None:
    """Its type is asked before anything else is."""
    event = {"type": "email.created", "data": {"user_id": "u", "body": "424242"}} | broken

    prepared = _prepare(json.dumps(event).encode())

    assert prepared.status == "quarantined"
    assert b"424242" not in (prepared.record.value or b"")
    assert read_headers(prepared.record.headers)["x-redacted"] == "true"


def test_taking_codes_out_changes_nothing_else() -> None:
    """Numbers stay as they were written, also those that no float holds."""
    body = b'{"type":"sms.created","data":{"user_id":"u","a":1e999,"b":1.10,"message":"424242"}}'

    prepared = _prepare(body)

    assert prepared.status == "accepted"
    assert prepared.record.value == body.replace(b'"424242"', b"null")


@pytest.mark.parametrize("field", [b'"id":"%s"', b'"id":"x","user_id":"%s"'])
def test_a_name_that_fits_no_header_is_quarantined(field: bytes) -> None:
    """A key and headers of half a megabyte each would make a record that no broker takes."""
    body = b'{"type":"sms.created","data":{' + field % (b"x" * 400_000) + b"}}"

    prepared = _prepare(body)

    assert prepared.status == "quarantined"
    assert prepared.record.key == b"msg_1"


@pytest.mark.parametrize("instance_id", [None, INSTANCE])
def test_events_of_our_instance_are_accepted(instance_id: str | None) -> None:
    """Without a configured instance every instance is ours."""
    assert _prepare(make_body("user.created"), instance_id=instance_id).status == "accepted"


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "data", "id", "user_id", "timestamp", "payer"]), inner
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_signed_body_becomes_a_record(body: bytes) -> None:
    """Nothing that Clerk signs is refused, whatever it is."""
    assert _prepare(body).status in {"accepted", "quarantined"}


_PIECES = [b"", b"null", b"{", b"}", b"1e400", b'"', b"\xff", b'"data":{},', b'"type":"",']


@given(
    name=st.sampled_from(
        ["user.created", "session.created", "organization.created", "sms.created"]
    ),
    at=st.floats(0, 1),
    without=st.integers(0, 12),
    piece=st.sampled_from(_PIECES),
    instance_id=st.sampled_from([None, INSTANCE, "ins_other"]),
)
def test_reading_at_once_says_what_reading_by_steps_says(
    name: str, at: float, without: int, piece: bytes, instance_id: str | None
) -> None:
    """Whatever is wrong with a body, its record is the same."""
    body = make_body(name)
    place = int(at * len(body))
    broken = body[:place] + piece + body[place + without :]
    at_once = _prepare(broken, instance_id=instance_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.prepare._read_whole", lambda _: None)
        by_steps = _prepare(broken, instance_id=instance_id)

    assert at_once == by_steps
