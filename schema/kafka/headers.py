"""What travels beside a payload: CloudEvents 1.0 in Kafka's binary mode, and our own few.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
Written and read here, side by side, so that the two cannot drift.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from schema import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RawHeaders = list[tuple[str, bytes]]
"""Record headers as aiokafka takes them."""

MAX_MESSAGE_BYTES: Final = 512
"""No error message in a header is longer; headers must never make a record too large."""

SOURCE: Final = "clerkwork/ingest"
"""`ce_source` where Clerk does not name its instance."""


_SPECVERSION: Final = ("ce_specversion", b"1.0")
_JSON: Final = ("content-type", b"application/json")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class EventHeaders(NamedTuple):
    """What every inbound record says about itself."""

    event_id: str
    """`ce_id`: the svix-id, the same for every delivery of one event."""
    event_type: str
    source: str
    occurred_at: datetime | None
    subject: str | None
    """The clerk user id, where the event belongs to a user."""
    request_id: str
    redacted: bool = False
    """Whether one-time codes were taken out, so that the value is not Clerk's byte for byte."""


@dataclass(frozen=True, kw_only=True)
class ChangeHeaders:
    """What every record on a change topic says about itself."""

    position: int
    """`ce_id` and `ce_sequence`: its place among all changes, in microseconds since 1970 or a
    little more."""
    change_type: str
    source: str
    subject: str
    """The record's key."""
    schema: str | None
    """`ce_dataschema`; None where the value is null."""
    traceparent: str | None = None
    """Which trace goes on with it, where somebody traces."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a record was set aside; free of payload and of personal data."""

    error_class: str
    """One of the taxonomy's classes, such as `poison.decode`."""
    error_code: str
    message: str
    attempt: int = 1
    """How often it was tried."""
    retry_at: datetime | None = None
    """When it is due again; None where it is not tried again."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a record was first read, and when it first failed."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    group: str
    first_failed_at: datetime


def _time(value: datetime) -> str:
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat("T", "milliseconds")[:23] + "Z"


def write_event_headers(headers: EventHeaders) -> RawHeaders:
    """Return the record headers of an inbound event."""
    raw = [
        _SPECVERSION,
        ("ce_id", headers.event_id.encode()),
        ("ce_type", headers.event_type.encode()),
        ("ce_source", headers.source.encode()),
    ]
    if headers.occurred_at:
        raw.append(("ce_time", _time(headers.occurred_at).encode()))
    if headers.subject:
        raw.append(("ce_subject", headers.subject.encode()))
    raw.append(_JSON)
    if headers.request_id:
        raw.append(("x-request-id", headers.request_id.encode()))
    if headers.redacted:
        raw.append(("x-redacted", b"true"))
    return raw


def write_change_headers(headers: ChangeHeaders) -> RawHeaders:
    """Return the record headers of a change.

    `ce_sequence` is CloudEvents' extension of that name; 16 digits, so that it also sorts as text.
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/sequence.md
    """
    position = b"%d" % headers.position
    second, micro = divmod(headers.position, 1_000_000)
    raw = [
        _SPECVERSION,
        ("ce_id", position),
        ("ce_type", headers.change_type.encode()),
        ("ce_source", headers.source.encode()),
        ("ce_time", b"%s.%03dZ" % (_second(second), micro // 1000)),
        ("ce_subject", headers.subject.encode()),
        ("ce_sequence", position),
    ]
    if headers.schema:
        raw += [("ce_dataschema", headers.schema.encode()), _JSON]
    if headers.traceparent:
        raw.append(("traceparent", headers.traceparent.encode()))
    return raw


@lru_cache(maxsize=16)
def _second(number: int) -> bytes:
    """Return a second since 1970 as RFC 3339 has it, less the zone; many changes share one."""
    return (_EPOCH + timedelta(seconds=number)).replace(tzinfo=None).isoformat().encode()


def read_position(raw: Iterable[tuple[str, bytes | None]]) -> int | None:
    """Return the position of a change, None for a record that is none. Never raises."""
    found = read_headers(raw).get("ce_sequence", "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 20 else None


def write_failure_headers(failure: Failure, origin: Origin | None = None) -> RawHeaders:
    """Return the headers that a dead letter adds to the record's own.

    The `__connect.errors.*` strings are Kafka Connect's, which generic tools already show.
    """
    message = failure.message.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")
    pairs = {
        "x-error-class": failure.error_class,
        "x-error-code": failure.error_code,
        "x-error-message": message,
        "x-attempt": str(failure.attempt),
        "x-clerkwork-version": VERSION,
        "__connect.errors.exception.class.name": failure.error_class,
        "__connect.errors.exception.message": message,
    }
    if failure.retry_at:
        pairs["x-retry-at"] = _time(failure.retry_at)
    if origin:
        pairs |= {
            "x-original-topic": origin.topic,
            "x-original-partition": str(origin.partition),
            "x-original-offset": str(origin.offset),
            "x-original-timestamp": str(origin.timestamp_ms),
            "x-consumer-group": origin.group,
            "x-first-failed-at": _time(origin.first_failed_at),
            "__connect.errors.topic": origin.topic,
            "__connect.errors.partition": str(origin.partition),
            "__connect.errors.offset": str(origin.offset),
        }
    return [(name, value.encode()) for name, value in pairs.items()]


def read_headers(raw: Iterable[tuple[str, bytes | None]]) -> Mapping[str, str]:
    """Return the headers that are text; null and non-UTF-8 values are left out. Never raises.

    The last of several headers with one name wins, as in Kafka's own `lastHeader`.
    """
    pairs = list(raw)
    try:
        return {name: (value or b"").decode() for name, value in pairs}
    except UnicodeDecodeError:
        return _read_text(pairs)


def _read_text(pairs: Iterable[tuple[str, bytes | None]]) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        try:
            headers[name] = (value or b"").decode()
        except UnicodeDecodeError:
            continue
    return headers


_FAILURE_NAMES: Final = re.compile(
    r"x-(error|original)-.*|x-(attempt|retry-at|first-failed-at|consumer-group|clerkwork-version)"
    r"|__connect\.errors\..*"
)


def without_failure(raw: Iterable[tuple[str, bytes | None]]) -> RawHeaders:
    """Return `raw` less what earlier failures added, so that headers never grow."""
    return [(name, value or b"") for name, value in raw if not _FAILURE_NAMES.fullmatch(name)]


_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_GROUP: Final = re.compile(r"[ -~]{1,255}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")
_INT32: Final = 2**31
_INT64: Final = 2**63


def read_origin(raw: Iterable[tuple[str, bytes | None]]) -> Origin | None:
    """Return where a record that failed before was first read, None where it does not say.

    Whoever wrote the headers: what it returns fits the ledger, an index and other headers.
    """
    headers = read_headers(raw)
    try:
        return Origin(
            topic=_match(_TOPIC, headers["x-original-topic"]),
            partition=_read_number(headers["x-original-partition"], below=_INT32),
            offset=_read_number(headers["x-original-offset"], below=_INT64),
            timestamp_ms=_read_number(headers["x-original-timestamp"], below=_INT64),
            group=_match(_GROUP, headers["x-consumer-group"]),
            first_failed_at=_read_moment(headers["x-first-failed-at"]),
        )
    except (KeyError, ValueError, OverflowError):
        return None


def _match(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("nothing that a Kafka has")
    return text


def _read_number(text: str, *, below: int) -> int:
    number = int(_match(_NUMBER, text))
    if not -1 <= number < below:  # Kafka says -1 where it does not know
        raise ValueError("no number of Kafka's")
    return number


def _read_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
