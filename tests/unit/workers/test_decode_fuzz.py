"""From any Kafka record to an event that the ledger can take, and to nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.arrivals import read_arrival
from schema.kafka.headers import (
    Failure,
    read_origin,
    read_position,
    without_failure,
    write_failure_headers,
)
from schema.kafka.letters import read_letter, write_replay_headers
from schema.ops.tracing.parents import read_parent
from tests.fuzzing import (
    SECRET_TEXT,
    load_record,
    make_mutant,
    read_bodies,
    read_corpus,
    runs,
    store_record,
)
from workers.decode import decode
from workers.park import _origin
from workers.record import Applied, _event_row
from workers.retry import read_due

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

FAILURE: Final = Failure(error_class="poison.decode", error_code="X", message="")
MUTANTS: Final = 3000


def check(record: ConsumerRecord[Any, Any]) -> None:
    """Take a record as a worker does; what it makes of it can be kept, and tells no secret."""
    event = decode(record)
    assert event.error_class != "bug", event.reason
    assert 0 < len(event.event_id) <= 300
    assert event.event_id.isprintable()
    assert SECRET_TEXT not in (event.reason or "")
    assert "\0" not in f"{event.type}{event.clerk_user_id}{event.reason}"
    _event_row(Applied(event, "dead", event.reason), ())
    for row in event.rows:
        assert all("\0" not in each for each in row if isinstance(each, str))
    origin = read_origin(record.headers) or _origin(record)
    dead = without_failure(record.headers) + write_failure_headers(FAILURE, origin)
    assert read_letter(dead).error_class == "poison.decode"
    write_replay_headers(record.headers, edited=True)
    read_due(record)
    read_position(record.headers)
    read_arrival(record)
    read_parent(record.headers)


def test_what_ever_broke_the_decoder_breaks_it_no_more() -> None:
    """Each was found once, and mended."""
    for stored in read_corpus("records"):
        check(load_record(stored))


def test_no_record_breaks_the_decoder(sample: dict[str, bytes]) -> None:
    """Webhooks and commands with anything in any field, and any bytes in any header."""
    bodies = read_bodies(sample)
    seen = set()
    for chance in runs(MUTANTS):
        record = make_mutant(chance, bodies)
        try:
            check(record)
        except Exception as error:
            error.add_note(f"keep it in tests/corpus/records:\n{store_record(record).decode()}")
            raise
        event = decode(record)
        seen.add((bool(event.rows), bool(event.reason), event.refused))

    # That it finds its way to all kinds of ends: none of them may be out of reach.
    assert {(True, False, False), (False, True, False), (False, True, True)} <= seen
