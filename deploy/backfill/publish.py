"""Publish a page: every thing on it as a snapshot, acknowledged before the page is noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from deploy.errors import OperatorError
from schema.kafka.clerk import Id, MalformedEventError
from schema.kafka.producer import BrokerUnavailableError, Record
from schema.kafka.snapshots import write_snapshot

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploy.clerk.walk import Page
    from schema.kafka.producer import Producer
    from schema.kafka.snapshots import Kind

PATIENCE_S: Final = 120.0
"""How long a page is sent again while Kafka does not acknowledge it."""

log = structlog.get_logger(__name__)


class _Named(msgspec.Struct, frozen=True):
    id: Id = ""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The snapshots of a page."""

    records: tuple[Record, ...]
    unreadable: tuple[str, ...]
    """The ids of what cannot be one; empty for what has none."""
    ids: frozenset[str]
    """The ids of all that is on the page."""

    @property
    def seen(self) -> int:
        """How many things were on the page, and not on the one before."""
        return len(self.records) + len(self.unreadable)


def write_page(
    kind: Kind, page: Page, *, seen_ms: int, before: Collection[str] = frozenset()
) -> Written:
    """Return the snapshots of a page of a backfill that began at `seen_ms`.

    What was on the page `before` is on Kafka already. What a walk cannot read may be a snapshot
    all the same: whether it can be applied, workers decide.
    """
    records, unreadable = list[Record](), list[str]()
    named = [(seen.id, thing) for seen, thing in zip(page.seen, page.things, strict=True)]
    named += [(_name(thing), thing) for thing in page.unreadable]
    for name, thing in named:
        if name and name in before:
            continue
        try:
            records.append(write_snapshot(kind, thing, looker="backfill", seen_ms=seen_ms))
        except MalformedEventError as error:
            log.warning("backfill_unreadable", kind=kind, id=name, field=error.field)
            unreadable.append(name)
    ids = frozenset(name for name, _ in named)
    return Written(records=tuple(records), unreadable=tuple(unreadable), ids=ids)


def _name(thing: bytes) -> str:
    """Return the id of what cannot be read as a whole, empty where that cannot be read either."""
    try:
        return msgspec.json.decode(thing, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


async def publish(producer: Producer, records: tuple[Record, ...]) -> None:
    """Put records on Kafka, for as long as that takes; again where it is in doubt.

    Raises OperatorError when Kafka does not acknowledge them for too long.
    """
    try:
        await _send(producer, records)
    except BrokerUnavailableError as error:
        raise OperatorError(
            "Kafka does not acknowledge what is published. Is it up, does it have all topics"
            " (clerkwork topics diff)? What is published is noted: run clerkwork backfill again,"
            " and it goes on."
        ) from error


@retry(
    retry=retry_if_exception_type(BrokerUnavailableError),
    stop=stop_after_delay(PATIENCE_S),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
async def _send(producer: Producer, records: tuple[Record, ...]) -> None:
    await producer.send_all(records)
