"""What somebody saw at Clerk, as a record on Clerk's own topics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.prepare import Delivery, prepare
from schema.kafka.clerk import MalformedEventError, read_envelope
from schema.kafka.headers import read_headers
from schema.kafka.snapshots import ABSENCE, SNAPSHOT, write_absence, write_snapshot
from tests.factories import CREATED_MS, LOOKS, make_body

if TYPE_CHECKING:
    from schema.kafka.producer import Record
    from schema.kafka.snapshots import Kind

KINDS: Final[tuple[Kind, ...]] = ("user", "organization", "organizationMembership", "session")
SEEN_MS: Final = CREATED_MS + 86_400_000


def _data(type_: str, **data: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(make_body(type_, **data))["data"]
    return found


def _write(kind: Kind, answer: dict[str, Any] | bytes, *, seen_ms: int = SEEN_MS) -> Record:
    text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return write_snapshot(kind, text, looker="reconcile", seen_ms=seen_ms)


def _written(record: Record) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(record.value or b"")["data"]
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_a_snapshot_goes_where_webhooks_about_the_same_go(kind: Kind) -> None:
    """The same topic, key and user as ingest gives Clerk's own event: so one partition has all."""
    webhook = make_body(LOOKS[SNAPSHOT + kind])
    own = prepare(Delivery(body=webhook, event_id="msg_1", request_id="1"), instance_id=None).record
    record = _write(kind, _data(SNAPSHOT + kind))
    headers = read_headers(record.headers)

    assert (record.topic, record.key) == (own.topic, own.key)
    assert headers.get("ce_subject") == read_headers(own.headers).get("ce_subject")
    assert headers["ce_type"] == f"clerkwork.snapshot.{kind}"
    assert headers["ce_source"] == "clerkwork/reconcile"
    assert headers["ce_time"] == "2026-01-02T00:00:00.000Z"


@pytest.mark.parametrize("kind", KINDS)
def test_an_absence_goes_there_too(kind: Kind) -> None:
    """Its time is that of Clerk's clock."""
    text = json.dumps(_data(ABSENCE + kind)).encode()
    absence = write_absence(kind, text, looker="backfill", clock_ms=SEEN_MS)
    snapshot = _write(kind, _data(SNAPSHOT + kind))
    envelope = read_envelope(absence.value or b"")

    assert (absence.topic, absence.key) == (snapshot.topic, snapshot.key)
    assert (envelope.type, envelope.timestamp) == (f"clerkwork.absence.{kind}", SEEN_MS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_comes_through_whole(kind: Kind) -> None:
    """All but what is secret is as Clerk has it."""
    data = _data(SNAPSHOT + kind)
    clean = json.loads(json.dumps(data), object_hook=_without_secrets)

    assert _written(_write(kind, data)) == clean
    assert clean != data or kind == "session"


def _without_secrets(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != "private_metadata"}


def test_secrets_are_gone_at_every_depth() -> None:
    """However their names are written, also in an organization that a membership nests."""
    secret = {"private_metadata": {"pin": "s3cret"}}
    phones = [{"id": "idn_9", "backup_codes": ["s3cret"], "created_at": 1}]
    organization = _data("organization.created") | secret
    data = _data("organizationMembership.created", organization=organization, phones=phones)
    text = json.dumps(data | secret).replace('"private_meta', '"priv\\u0061te_meta')
    record = _write("organizationMembership", text.encode())

    assert b"s3cret" not in (record.value or b"")
    assert _written(record)["organization"]["id"] == organization["id"]
    assert _written(record)["phones"] == [{"id": "idn_9", "created_at": 1}]


def test_what_an_application_calls_its_own_is_left_alone() -> None:
    """A field of that name inside public_metadata is no secret of Clerk's."""
    metadata = {"private_metadata": 1, "deep": [{"backup_codes": 2}]}
    data = _data("user.created", public_metadata=metadata)

    assert _written(_write("user", data))["public_metadata"] == metadata


@pytest.mark.parametrize("number", ["123456789012345678901234567890", "1e400", "-0.0", "1.10"])
def test_numbers_are_kept_as_they_are_written(number: str) -> None:
    """No digit is lost, however many there are, also beside a secret."""
    text = f'{{"id":"user_1","x":[{{"n":{number},"private_metadata":{number}}}]}}'
    record = _write("user", text.encode())

    assert f'"x":[{{"n":{number}}}]'.encode() in (record.value or b"")


def test_the_same_answer_in_the_same_look_is_the_same_event() -> None:
    """Sent twice it is one; another answer, or another look, is another."""
    user, later = _data("user.created"), _data("user.created", first_name="Other")
    records = [
        *(_write("user", user), _write("user", user)),
        *(_write("user", later), _write("user", user, seen_ms=SEEN_MS + 1)),
    ]
    ids = [read_headers(record.headers)["ce_id"] for record in records]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert max(ids) < "msg_"


@pytest.mark.parametrize(
    ("kind", "answer", "field"),
    [
        ("user", b"", "$"),
        ("user", b"null", "$"),
        ("user", b"[]", "$"),
        ("user", b'{"id":"user_1"', "$"),
        ("user", b'{"id":"user_1"} {}', "$"),
        ("user", b'{"id":"user_\xff"}', "$"),
        ("user", b'{"id":"user_1","first_name":"\\ud800"}', "$"),
        ("user", b'{"id":"user_1","x":' + b"[" * 100_000, "$"),
        ("user", b"{}", "$.data.id"),
        ("user", b'{"id":""}', "$.data.id"),
        ("user", b'{"id":7}', "$.data.id"),
        ("user", b'{"id":"user \\u0000"}', "$.data.id"),
        ("user", b'{"id":"' + b"x" * 129 + b'"}', "$.data.id"),
        ("organization", b'{"id":null}', "$.data.id"),
        ("session", b'{"id":"sess_1"}', "$.data.user_id"),
        ("session", b'{"user_id":"user_1"}', "$.data.id"),
        ("organizationMembership", b'{"id":"orgmem_1"}', "$.data.public_user_data.user_id"),
        (
            "organizationMembership",
            b'{"id":"orgmem_1","public_user_data":{"user_id":5}}',
            "$.data.public_user_data.user_id",
        ),
    ],
)
def test_what_cannot_be_a_record_names_its_field(kind: Kind, answer: bytes, field: str) -> None:
    """It is not published, and who looked can say what was wrong."""
    with pytest.raises(MalformedEventError) as raised:
        _write(kind, answer)

    assert raised.value.field == field


@given(
    st.sampled_from(KINDS),
    st.binary(max_size=100)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_nothing_else_is_raised(kind: Kind, answer: bytes) -> None:
    """Whatever Clerk, or who stands between, answers."""
    try:
        record = _write(kind, answer)
    except MalformedEventError:
        return
    assert record.key


def test_what_postgresql_cannot_hold_is_for_the_worker_to_name() -> None:
    """A NUL in a name is put on Kafka, like one in a webhook: there it can be looked at."""
    record = _write("user", _data("user.created", first_name="a\x00"))

    assert _written(record)["first_name"] == "a\x00"
    assert datetime.fromisoformat(read_headers(record.headers)["ce_time"]).tzinfo == UTC
