"""What a dead letter says about itself, whoever wrote it; and what its replay says.

Read here are, in this order, our own headers (headers.py) and those of
- Kafka Connect: https://cwiki.apache.org/confluence/pages/viewpage.action?pageId=80453065
- Spring: https://docs.spring.io/spring-kafka/reference/kafka/annotation-error-handling.html
- Kafka's share groups (KIP-1191): https://cwiki.apache.org/confluence/x/n4bkFQ
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from schema.kafka.headers import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schema.kafka.headers import RawHeaders

    RawPairs = Iterable[tuple[str, bytes | None]]

REPLAY_LIMIT: Final = 3
"""A letter that was replayed so often and died again is parked: no carousels."""

WITHHELD: Final = "withheld: another program's words may hold personal data"
"""The reason of a foreign letter, whose message nobody here has written."""

UNKNOWN: Final = "unknown"
"""The class of an error that a letter does not name."""

_CONNECT: Final = "__connect.errors."
_SPRING: Final = "kafka_dlt-"
_SHARE_GROUP: Final = "__dlq.errors."

_GONE_AFTER_REPLAY: Final = (
    *("x-error-", "x-original-", "x-attempt", "x-retry-at", "x-first-failed-at"),
    *("x-consumer-group", "x-clerkwork-version", "x-replay-count", "x-edited"),
    *("__connect.", _SPRING, _SHARE_GROUP),
)
"""How the headers begin that tell of a death, which a replay has yet to die."""

_IDENTIFIER: Final = re.compile(r"[!-~]{1,128}")
_CODE: Final = re.compile(r"[\w.$:-]{1,256}", re.ASCII)
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_INT32: Final = 2**31 - 1
_INT64: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A dead letter, read from its headers alone; any of it fits the index."""

    event_id: str | None = None
    """The svix-id; as in the ledger, a record without one is known by its first place."""
    type: str | None = None
    clerk_user_id: str | None = None
    error_class: str = UNKNOWN
    """One of the taxonomy's classes, or the exception that a foreign letter names."""
    error_code: str | None = None
    reason: str | None = None
    """At most MAX_MESSAGE_BYTES of UTF-8; of a foreign letter, WITHHELD."""
    attempts: int = 1
    first_failed_at: datetime | None = None
    replays: int = 0
    edited: bool = False
    source_topic: str | None = None
    """Where the record was first read, also below."""
    source_partition: int | None = None
    source_offset: int | None = None
    source_timestamp_ms: int | None = None

    @property
    def state(self) -> str:
        """What a letter is that no operator has touched: `open`, or `parked` past the limit."""
        return "parked" if self.replays >= REPLAY_LIMIT else "open"


def read_letter(raw: RawPairs) -> Letter:
    """Return what the headers of a dead letter say. Never raises, whatever the bytes.

    The last of several headers with one name wins, as in Kafka's own `lastHeader`.
    """
    found = {name: value or b"" for name, value in raw}
    event: dict[str, Any] = {
        "event_id": _match(_IDENTIFIER, found.get("ce_id")),
        "type": _match(_IDENTIFIER, found.get("ce_type")),
        "clerk_user_id": _match(_IDENTIFIER, found.get("ce_subject")),
        "replays": _number(found.get("x-replay-count"), _INT32) or 0,
        "edited": found.get("x-edited") == b"true",
    }
    death = _read_death(found)
    place = [death.get(f"source_{part}") for part in ("topic", "partition", "offset")]
    if event["event_id"] is None and None not in place:
        event["event_id"] = "-".join(map(str, place))
    return Letter(**event, **death)


def _read_death(found: Mapping[str, bytes]) -> dict[str, Any]:
    if "x-error-class" in found:
        return _ours(found)
    if any(name.startswith(_CONNECT) for name in found):
        return _connects(found)
    if any(name.startswith(_SPRING) for name in found):
        return _springs(found)
    if any(name.startswith(_SHARE_GROUP) for name in found):
        return _share_groups(found)
    return {}


def write_replay_headers(raw: RawPairs, *, edited: bool) -> RawHeaders:
    """Return the headers of a replay: the record's own, one more replay, nothing of its death.

    A record that was edited once stays marked as edited.
    """
    pairs = [(name, value or b"") for name, value in raw]
    letter = read_letter(pairs)
    kept = [each for each in pairs if not each[0].startswith(_GONE_AFTER_REPLAY)]
    kept.append(("x-replay-count", str(min(letter.replays + 1, _INT32)).encode()))
    if edited or letter.edited:
        kept.append(("x-edited", b"true"))
    return kept


def is_ours(raw: RawPairs) -> bool:
    """Tell whether clerkwork wrote the letter, so that its reason holds no personal data."""
    return any(name == "x-error-class" for name, _ in raw)


def _ours(found: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "error_class": _match(_CODE, found["x-error-class"]) or UNKNOWN,
        "error_code": _match(_CODE, found.get("x-error-code")),
        "reason": _message(found.get("x-error-message")),
        "attempts": _number(found.get("x-attempt"), _INT32) or 1,
        "first_failed_at": _time(found.get("x-first-failed-at")),
        "source_topic": _match(_TOPIC, found.get("x-original-topic")),
        "source_partition": _number(found.get("x-original-partition"), _INT32),
        "source_offset": _number(found.get("x-original-offset"), _INT64),
        "source_timestamp_ms": _number(found.get("x-original-timestamp"), _INT64),
    }


def _connects(found: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "error_class": _match(_CODE, found.get(f"{_CONNECT}exception.class.name")) or UNKNOWN,
        "reason": WITHHELD,
        "source_topic": _match(_TOPIC, found.get(f"{_CONNECT}topic")),
        "source_partition": _number(found.get(f"{_CONNECT}partition"), _INT32),
        "source_offset": _number(found.get(f"{_CONNECT}offset"), _INT64),
    }


def _springs(found: Mapping[str, bytes]) -> dict[str, Any]:
    """Read Spring's, whose numbers are Java's: signed, big-endian, four or eight bytes."""
    return {
        "error_class": _match(_CODE, found.get(f"{_SPRING}exception-fqcn")) or UNKNOWN,
        "reason": WITHHELD,
        "source_topic": _match(_TOPIC, found.get(f"{_SPRING}original-topic")),
        "source_partition": _integer(found.get(f"{_SPRING}original-partition"), size=4),
        "source_offset": _integer(found.get(f"{_SPRING}original-offset"), size=8),
        "source_timestamp_ms": _integer(found.get(f"{_SPRING}original-timestamp"), size=8),
    }


def _share_groups(found: Mapping[str, bytes]) -> dict[str, Any]:
    """Read the broker's, which names no exception: a consumer refused it, or never finished."""
    return {
        "error_class": "share-group",
        "reason": WITHHELD,
        "attempts": _number(found.get(f"{_SHARE_GROUP}delivery.count"), _INT32) or 1,
        "source_topic": _match(_TOPIC, found.get(f"{_SHARE_GROUP}topic")),
        "source_partition": _number(found.get(f"{_SHARE_GROUP}partition"), _INT32),
        "source_offset": _number(found.get(f"{_SHARE_GROUP}offset"), _INT64),
    }


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="ignore")


def _match(pattern: re.Pattern[str], value: bytes | None) -> str | None:
    text = _text(value)
    return text if pattern.fullmatch(text) else None


def _message(value: bytes | None) -> str | None:
    """Return bounded text that PostgreSQL takes; None where there is none."""
    return _text((value or b"")[:MAX_MESSAGE_BYTES]).replace("\x00", "") or None


def _number(value: bytes | None, most: int) -> int | None:
    digits = _match(_NUMBER, value)
    number = int(digits) if digits else None
    return number if number is not None and number <= most else None


def _integer(value: bytes | None, *, size: int) -> int | None:
    if value is None or len(value) != size:
        return None
    number = int.from_bytes(value, "big", signed=True)
    return number if number >= 0 else None


def _time(value: bytes | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
