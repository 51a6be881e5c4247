"""Tell the headers of records as JSON Schema: what schema/kafka/headers.py and letters.py write.

Kafka's headers are bytes; ours are all UTF-8 text. There may be others besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from schema.kafka.changes import SOURCE as RELAY
from schema.kafka.commands import SOURCE as COMMANDS
from schema.kafka.headers import MAX_MESSAGE_BYTES
from schema.kafka.headers import SOURCE as INGEST
from schema.kafka.snapshots import ABSENCE, SNAPSHOT, Looker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Headers = Mapping[str, dict[str, Any]]


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _number(description: str) -> dict[str, Any]:
    return _text(description, pattern="^[0-9]{1,19}$")


def _time(description: str) -> dict[str, Any]:
    return _text(f"{description}; RFC 3339 in UTC", format="date-time")


SPECVERSION: Final = {"ce_specversion": _text("version of CloudEvents", const="1.0")}
CONTENT_TYPE: Final = {"content-type": _text("media type of the value", const="application/json")}

_LOOKERS: Final = ", ".join(f"clerkwork/{looker}" for looker in get_args(Looker))

EVENT: Final[Headers] = SPECVERSION | {
    "ce_id": _text(
        "the svix-id, or the id of a command or a look at Clerk; the same for every delivery of it",
        minLength=1,
    ),
    "ce_type": _text(
        "Clerk's type of the event, the command's, or `unreadable`. Of what was looked up at Clerk"
        f" {SNAPSHOT} and what it is, or {ABSENCE} where Clerk has it no more",
        minLength=1,
    ),
    "ce_source": _text(
        f"Clerk's instance; {INGEST} where the event names none, {COMMANDS} of commands; of what"
        f" was looked up at Clerk {_LOOKERS}",
        minLength=1,
    ),
    **CONTENT_TYPE,
    "x-request-id": _text(
        "the request to ingest that brought it; `ce_id` where none did", minLength=1
    ),
}
"""Every inbound record has these."""

TRACED: Final[Headers] = {
    "traceparent": _text(
        "the trace that goes on with the record, where somebody traces: W3C Trace Context",
        pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
    )
}

EVENT_AT_TIMES: Final[Headers] = {
    "ce_time": _time("when it happened, where the event says so"),
    "ce_subject": _text("clerk user id, where the event belongs to a user", minLength=1),
    "x-redacted": _text("one-time codes were taken out of the value", const="true"),
    **TRACED,
}

REPLAYED: Final[Headers] = {
    "x-replay-count": _number("how often an operator has replayed it as a dead letter"),
    "x-edited": _text("an operator has changed the value or the headers", const="true"),
}

FAILED: Final[Headers] = {
    "x-error-class": _text(
        "whose fault it was: `poison.decode`, `poison.data` the event's, `bug` ours",
    ),
    "x-error-code": _text("what went wrong, in one word"),
    "x-error-message": _text(
        f"why, in at most {MAX_MESSAGE_BYTES} bytes, without payload or personal data",
        maxLength=MAX_MESSAGE_BYTES,
    ),
    "x-attempt": _number("how often it was tried"),
    "x-clerkwork-version": _text("the version of clerkwork that gave up"),
    "__connect.errors.exception.class.name": _text("x-error-class, as Kafka Connect calls it"),
    "__connect.errors.exception.message": _text(
        "x-error-message, as Kafka Connect calls it", maxLength=MAX_MESSAGE_BYTES
    ),
}
"""The last failure; earlier ones leave nothing."""

DUE: Final[Headers] = {"x-retry-at": _time("when it is tried again, not before")}

ORIGIN: Final[Headers] = {
    "x-original-topic": _text("where it was first read"),
    "x-original-partition": _number("its partition there"),
    "x-original-offset": _number("its offset there"),
    "x-original-timestamp": _number("its timestamp there, in ms since 1970"),
    "x-consumer-group": _text("the group that read it first"),
    "x-first-failed-at": _time("when it first failed"),
    "__connect.errors.topic": _text("x-original-topic, as Kafka Connect calls it"),
    "__connect.errors.partition": _number("x-original-partition, as Kafka Connect calls it"),
    "__connect.errors.offset": _number("x-original-offset, as Kafka Connect calls it"),
}

CHANGE: Final[Headers] = SPECVERSION | {
    "ce_id": _number("the change's position among all changes"),
    "ce_type": _text("what happened; ignore types that you do not know", minLength=1),
    "ce_source": _text("who says so", const=RELAY),
    "ce_time": _time("when it was told, just before its commit"),
    "ce_subject": _text("the record's key", minLength=1),
    "ce_sequence": _number(
        "the change's position among all changes: of two records of a key the one with the greater"
        " number is the later"
    ),
}
"""Every record of a change topic has these."""


def changed(dataschema: str) -> Headers:
    """Return the headers of a change that leaves a state, whose schema has that name."""
    named = {"ce_dataschema": _text("the schema of the value", const=dataschema)}
    return {**CHANGE, **named, **CONTENT_TYPE}


def tell_headers(*always: Headers, at_times: Iterable[Headers] = ()) -> dict[str, Any]:
    """Return the schema of a record's headers: those that are always there, and the others."""
    return {
        "type": "object",
        "properties": {name: each for part in (*always, *at_times) for name, each in part.items()},
        "required": [name for part in always for name in part],
    }


_OWN: Final = (EVENT, EVENT_AT_TIMES, REPLAYED)

HEADERS: Final[Mapping[str, Any]] = {
    "headers.event": tell_headers(EVENT, at_times=(EVENT_AT_TIMES, REPLAYED)),
    "headers.postponed": tell_headers(FAILED, DUE, ORIGIN, at_times=_OWN),
    "headers.dead": tell_headers(FAILED, ORIGIN, at_times=_OWN),
    "headers.unreadable": tell_headers(EVENT, FAILED, at_times=(EVENT_AT_TIMES,)),
    "headers.tombstone": tell_headers(CHANGE, at_times=(TRACED,)),
}
"""Name -> schema of the headers that several kinds of records have."""
