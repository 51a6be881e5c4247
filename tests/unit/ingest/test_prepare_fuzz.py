"""From anything that Clerk may sign to a record that Kafka takes, and no code in it."""

from __future__ import annotations

import json
from typing import Final

from ingest.prepare import Delivery, prepare
from ingest.redact import FIELDS, TYPES
from schema.kafka.batches import MAX_RECORD_BYTES
from schema.kafka.headers import read_headers
from tests.fuzzing import read_bodies, read_corpus, runs, write_mutant

MUTANTS: Final = 3000


def check(body: bytes) -> str:
    """Prepare a body as ingest does, look at the record, and return what became of it."""
    delivery = Delivery(body=body, event_id="msg_1", request_id="request-1")
    status, record = prepare(delivery, instance_id=None)[1::-1]
    value = record.value or b""
    headers = read_headers(record.headers)
    size = len(value) + len(record.key or b"") + sum(map(len, headers.values()))
    assert size <= MAX_RECORD_BYTES
    assert len(headers) == len(record.headers)
    assert value == body or headers["x-redacted"] == "true"
    assert not _codes(value), "a field that can hold a one-time code holds something"
    return status


def _codes(value: bytes) -> list[object]:
    try:
        event = json.loads(value)
    except (ValueError, RecursionError):
        return []
    if not isinstance(event, dict) or event.get("type") not in [*TYPES]:
        return []
    data = event.get("data")
    return [data[name] for name in FIELDS & data.keys() if data[name]] if data else []


def test_what_ever_was_wrongly_prepared_is_so_no_more() -> None:
    """Each was found once, and mended."""
    for body in read_corpus("bodies"):
        check(body)


def test_no_signed_body_breaks_ingest(sample: dict[str, bytes]) -> None:
    """Webhooks with anything in any field: accepted, or quarantined; both happen."""
    bodies = read_bodies(sample)
    codes = [body for name, body in sample.items() if name.startswith(("email", "sms"))]
    seen = set()
    for chance in runs(MUTANTS):
        body = write_mutant(chance, codes if chance.random() < 0.5 else bodies)
        try:
            seen.add(check(body))
        except Exception as error:
            error.add_note(f"keep it in tests/corpus/bodies: {body!r}")
            raise

    assert seen == {"accepted", "quarantined"}
