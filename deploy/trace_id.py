"""Find the id under which a collector of traces knows an event: it stands on the record itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from deploy.errors import OperatorError
from deploy.letters.desk import reading
from deploy.letters.fetch import fetch_letters
from deploy.letters.select import Place
from schema.ops.settings import KafkaSettings, read_settings
from schema.ops.tracing.parents import find_trace_id, read_parent
from schema.ops.variables import find_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WAIT_S: Final = 5.0
"""What else is known of the event is not kept back for longer."""


async def fetch_trace_id(event_id: str, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the trace of an event, of which `rows` say where its records are.

    None where nobody traced it, Kafka has it no longer, does not answer or is not named in the
    environment.
    """
    if not rows or not find_variable("KAFKA_BOOTSTRAP_SERVERS"):
        return None
    places = {Place(row["topic"], row["partition"], row["offset"]): event_id for row in rows}
    try:
        async with asyncio.timeout(WAIT_S), reading(read_settings(KafkaSettings)) as consumer:
            found = await fetch_letters(consumer, places)
    except (OperatorError, TimeoutError):
        return None
    parents = (read_parent(record.headers) for record in found.values())
    return next((find_trace_id(parent) for parent in parents if parent), None)
