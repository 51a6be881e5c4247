"""Parse what forms and addresses ask for. Pure; raises HttpError 400 or OperatorError in words."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from deploy.errors import OperatorError
from deploy.letters.select import STATES, Place, Selection, read_moment
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import MultiMapping

T = TypeVar("T")

PAGE_SIZE: Final = 50
"""Rows on a page."""
MOST_LETTERS: Final = 300
"""No text that somebody searches for is longer."""

_TEXTS: Final = ("reason", "error_class", "type", "user", "topic", "event")


def read_text(query: MultiMapping[str], name: str) -> str:
    """Return what a field says, without spaces around it; empty where it says nothing."""
    text: str = query.get(name, "").strip()
    if len(text) > MOST_LETTERS or "\0" in text:
        raise OperatorError(f"What is asked for as {name} is too long, or no text.")
    return text


def read_selection(query: MultiMapping[str]) -> Selection:
    """Return which letters are asked for; open ones unless it says otherwise."""
    states = tuple(dict.fromkeys(query.getall("state", [])))
    if set(states) - set(STATES):
        raise OperatorError(f"A letter is {', '.join(STATES)}, and nothing else.")
    texts: dict[str, Any] = {name: read_text(query, name) or None for name in _TEXTS}
    return Selection(
        states=states or ("open",),
        since=read_moment(read_text(query, "since") or None),
        until=read_moment(read_text(query, "until") or None),
        **texts,
    )


def repeat_query(query: MultiMapping[str], **others: str) -> str:
    """Return the same question about letters as a query string, and what it says besides."""
    pairs = [("state", each) for each in query.getall("state", [])]
    pairs += [(name, read_text(query, name)) for name in (*_TEXTS, "since", "until")]
    return write_query([*pairs, *others.items()])


def write_query(pairs: list[tuple[str, str]]) -> str:
    """Return a query string of the pairs that say something, with its question mark."""
    said = urlencode([(name, value) for name, value in pairs if value])
    return f"?{said}" if said else ""


def write_cursor(*parts: object) -> str:
    """Return the place at which a page begins, as an address can carry it."""
    said = [part.isoformat() if isinstance(part, datetime) else part for part in parts]
    return base64.urlsafe_b64encode(msgspec.json.encode(said)).decode().rstrip("=")


def read_cursor(query: MultiMapping[str], kind: type[T]) -> T | None:
    """Return what `write_cursor` wrote, as a named tuple; None where the page is the first."""
    text: str = query.get("cursor", "")
    if not text:
        return None
    try:
        said = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        place = msgspec.convert(said, kind, strict=False)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        place = None
    # Whoever made it up: PostgreSQL and Kafka must be able to look for it.
    if place is None or not (isinstance(place, tuple) and all(map(_can_be_sought, place))):
        raise HttpError("INVALID_CURSOR", "This address does not lead to a page.")
    return place


def _can_be_sought(part: object) -> bool:
    if isinstance(part, datetime):
        return part.tzinfo is not None and 1 < part.year < 9999
    if isinstance(part, int):
        return 0 <= part < 2**63
    return "\0" not in str(part)


def read_operation(said: Mapping[str, Any]) -> uuid.UUID:
    """Return the id of an operation in an address."""
    try:
        return uuid.UUID(said["id"])
    except ValueError:
        raise HttpError("NOT_FOUND", "There is no such operation.") from None


def read_place_of(said: Mapping[str, Any]) -> Place:
    """Return the place of a letter in an address."""
    partition, offset = said["partition"], said["offset"]
    decimal = partition.isdecimal() and offset.isdecimal()
    if not decimal or len(partition) > 9 or len(offset) > 24 or "\0" in said["topic"]:
        raise HttpError("NOT_FOUND", "There is no such letter.")
    return Place(said["topic"], int(partition), min(int(offset), 2**63 - 1))


def read_line(said: Mapping[str, Any]) -> tuple[str, int]:
    """Return the topic and the partition in an address."""
    partition = said["partition"]
    if not (partition.isdecimal() and len(partition) < 10) or "\0" in said["topic"]:
        raise HttpError("NOT_FOUND", "No such partition is stopped.")
    return said["topic"], int(partition)


def read_allowance(form: MultiMapping[str]) -> int:
    """Return how many rejects may pass before the limits count again."""
    text = read_text(form, "allowance") or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise OperatorError("How many may pass is a whole number, 0 or more.")
    return int(text)


def read_rate(text: str) -> float | None:
    """Return how many letters each second; None for as fast as it goes."""
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 100_000:
        raise OperatorError("The rate is a number of letters each second, 0.01 or more.")
    return rate
