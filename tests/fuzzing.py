"""Fuzzing: inputs that nobody would send, made of those that somebody did.

They are the same in every run. With FUZZ_SECONDS in the environment each test goes on for as long
with others; what fails says from which seed. What ever broke something is kept in tests/corpus,
and comes first.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import random
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schema.kafka.commands import (
    DataDeletion,
    DataPut,
    PostChange,
    PostCreation,
    PostDeletion,
    write_command,
)
from schema.kafka.headers import Failure, Origin, write_failure_headers
from schema.kafka.topics import SOURCES, USER_COMMANDS, retry_topic
from schema.postgres.ids import derive_id, derive_post_id
from tests.factories import CREATED_MS, LOOKS, inbound_headers, make_body, make_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiokafka import ConsumerRecord

    Slot = tuple[Any, Any]

CORPUS: Final = Path(__file__).with_name("corpus")
SECRET_TEXT: Final = "nobody-may-read-this"
"""Stands in the mutants where a person's data would: in no reason, header or log."""

_RAW: Final = (
    *("1e400", "-1e400", "1E-99999", "-0", "NaN", "Infinity", "0x10", "01", "1.", "tru"),
    *(
        "9" * 400,
        "9" * 5000,
        "-" + "9" * 20,
        "[" * 2000 + "]" * 2000,
        '{"a":' * 600 + "1" + "}" * 600,
    ),
    *(r'"\ud800"', r'"\udfff\ud800"', r'"\u0000"', r'"a\u0000b"', '"\x00"', r'"\x"', '"'),
)
"""What no writer of JSON makes."""
_ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 10**30, 1.5, -1e308, ""),
    *(" ", "user_", "user_" + "a" * 129, "\u202e", "\x7f\x1b[2J", "é" * 400, "😀", [], {}, [[]]),
    *({"user_id": SECRET_TEXT}, [None], [{}], {SECRET_TEXT: 1}, SECRET_TEXT, "a" * 5000),
    *(253_402_300_799_999, 253_402_300_800_000, "2026-01-01T00:00:00Z", "admin", "deleted"),
)
_NAMES: Final = ("id", "user_id", "updated_at", "data", "object", "deleted", "role", "Id", "")
_PIECES: Final = (
    b"",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"{",
    b"}",
    b'"',
    b",",
    b"null",
    b"\xef\xbb\xbf",
)
_PLACE: Final = "@raw-{}@"


def runs(count: int) -> Iterator[random.Random]:
    """Yield sources of chance: so many, and with FUZZ_SECONDS others until the time is over."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "0"))
    first = secrets.randbits(32) if seconds else 0
    end_s, number = time.monotonic() + seconds, 0
    while number < count or time.monotonic() < end_s:
        yield random.Random(first + number)  # noqa: S311  # to be had again
        number += 1


def read_corpus(kind: str) -> list[bytes]:
    """Return what ever broke something of this kind."""
    return [path.read_bytes() for path in sorted((CORPUS / kind).glob("*"))]


def write_mutant(chance: random.Random, bodies: Sequence[bytes]) -> bytes:
    """Return one of `bodies`, JSON objects, with a few of its fields or bytes changed."""
    event = json.loads(chance.choice(bodies))
    raw: list[str] = []
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        slots = list(_slots(event))
        if slots:
            chance.choice(_CHANGES)(chance, chance.choice(slots), raw)
    text = json.dumps(event, ensure_ascii=chance.random() < 0.5)
    for number, token in enumerate(raw):
        text = text.replace(f'"{_PLACE.format(number)}"', token)
    if chance.random() < 0.1:
        text = text.replace("{", '{"id":null,"updated_at":7,', 1 + chance.randrange(2))
    return splice(chance, text.encode(), _PIECES) if chance.random() < 0.1 else text.encode()


def splice(chance: random.Random, text: bytes, pieces: Sequence[bytes]) -> bytes:
    """Return `text` with some of it cut out, and a piece put in its place."""
    start = chance.randrange(len(text) + 1)
    return text[:start] + chance.choice(pieces) + text[start + chance.choice((0, 0, 1, 2, 40)) :]


def _slots(value: Any) -> Iterator[Slot]:
    if not isinstance(value, dict | list):
        return
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        yield from _slots(inner)


def _replace(chance: random.Random, slot: Slot, _raw: list[str]) -> None:
    slot[0][slot[1]] = copy.deepcopy(chance.choice(_ODD))


def _write_raw(chance: random.Random, slot: Slot, raw: list[str]) -> None:
    slot[0][slot[1]] = _PLACE.format(len(raw))
    raw.append(chance.choice(_RAW))


def _drop(_chance: random.Random, slot: Slot, _raw: list[str]) -> None:
    del slot[0][slot[1]]


def _rename(chance: random.Random, slot: Slot, raw: list[str]) -> None:
    holder, key = slot
    if isinstance(holder, dict):
        holder[chance.choice(_NAMES)] = holder.pop(key)
    else:
        _repeat(chance, slot, raw)


def _repeat(chance: random.Random, slot: Slot, _raw: list[str]) -> None:
    holder, key = slot
    holder[key] = [holder[key]] * chance.choice((1, 2))


_CHANGES: Final[Sequence[Callable[[random.Random, Slot, list[str]], None]]] = (
    *(_replace, _replace, _write_raw),
    *(_drop, _rename, _repeat),
)


def read_bodies(sample: dict[str, bytes]) -> list[bytes]:
    """Return every recorded webhook, and what looks at Clerk find."""
    return [*sample.values(), *(make_body(name) for name in LOOKS)]


USER: Final = "user_2mZxQ8vRt4KcYbN1sLdWfHjEaUp"
_POST: Final = derive_post_id(USER, "cmd_1")
_VALUE: Final = b'{"theme":"dark","notifications":true,"language":"en","timezone":"Europe/Berlin"}'
COMMANDS: Final = [
    write_command(each, issued_ms=CREATED_MS)
    for each in (
        PostCreation(id=_POST, user_id=USER, title="A", body="B", status="draft"),
        PostChange(id=_POST, user_id=USER, title="C"),
        PostChange(id=derive_id("another's"), user_id=USER, status="published"),
        PostDeletion(id=_POST, user_id=USER),
        DataPut(user_id=USER, key="preferences", value=msgspec.Raw(_VALUE)),
        DataDeletion(user_id=USER, key="feature_flags"),
    )
]
"""A command of each kind."""

_VALUES: Final = (
    *(None, b"", b"\x00", b"\xff\xfe", b"0", b"-1", b"9" * 5000, b"1e9", b"true", b"a" * 3000),
    *(b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"0001-01-01", b"yesterday"),
    *("١٢".encode(), b"\x1b[2J\r\n", b"clerk.user-events", b"app.user-commands", b"2147483648"),
    *(b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"00-zz-zz-zz", b"a\x00b"),
)
_FAILED: Final = write_failure_headers(
    Failure(error_class="bug", error_code="X", message="", retry_at=datetime.now(UTC)),
    Origin(
        topic="clerk.user-events",
        partition=1,
        offset=2,
        timestamp_ms=CREATED_MS,
        group="clerkwork.projector",
        first_failed_at=datetime(2026, 1, 1, tzinfo=UTC),
    ),
)
_HEADERS: Final = ("x-replay-count", "traceparent", "x-edited", "kafka_dlt-original-offset", "é")
_OF_EVENTS: Final = [each for each in SOURCES if each is not USER_COMMANDS]
_TIMES: Final = (CREATED_MS, CREATED_MS, CREATED_MS, -1, 0, 2**62, -(2**62))


def make_mutant(
    chance: random.Random, bodies: Sequence[bytes], *, event_id: str | None = None
) -> ConsumerRecord[Any, Any]:
    """Return a record that anybody might have put there: a webhook, a command, or neither."""
    is_command = chance.random() < 0.3
    source = USER_COMMANDS if is_command else chance.choice(_OF_EVENTS)
    if chance.random() < 0.05:
        source = chance.choice(SOURCES)
    topic = source if chance.random() < 0.8 else retry_topic(source, "10s")
    headers: list[tuple[str, bytes | None]] = [
        *inbound_headers(event_id or f"msg_{chance.getrandbits(64)}", subject=USER)
    ]
    if chance.random() < 0.4:
        headers += _FAILED
    for _ in range(chance.choice((0, 0, 0, 1, 2, 5))):
        place = chance.randrange(len(headers))
        name = chance.choice((headers[place][0], chance.choice(_HEADERS)))
        headers[place] = (name, chance.choice(_VALUES))
    record = make_record(
        write_mutant(chance, COMMANDS if is_command else bodies),
        topic=topic.name,
        headers=headers,
        offset=chance.choice((0, 7, 2**62)),
    )
    return replace(
        record, timestamp=chance.choice(_TIMES), key=chance.choice((USER.encode(), None))
    )


def store_record(record: ConsumerRecord[Any, Any]) -> bytes:
    """Return what tests/corpus/records keeps of a record."""
    said = {
        "topic": record.topic,
        "timestamp": record.timestamp,
        "key": _write(record.key),
        "value": _write(record.value),
        "headers": [[name, _write(value)] for name, value in record.headers],
    }
    return json.dumps(said, indent=1).encode()


def load_record(stored: bytes) -> ConsumerRecord[Any, Any]:
    """Return the record that was kept."""
    said = json.loads(stored)
    record = make_record(
        _read(said["value"]),
        topic=said["topic"],
        headers=[(name, _read(value)) for name, value in said["headers"]],
    )
    return replace(record, timestamp=said["timestamp"], key=_read(said["key"]))


def _write(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _read(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
