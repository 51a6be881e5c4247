"""Trace what is published: the record's header says which trace goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.publish import Publisher
from schema.kafka.headers import read_headers
from schema.ops.tracing.parents import HEADER
from schema.ops.tracing.records import EVENT_ID, describe_place, describe_topic
from schema.ops.tracing.tracer import SpanKind, Tracer, write_parent

if TYPE_CHECKING:
    from schema.kafka.producer import Producer, Record, Stored


class TracingPublisher(Publisher):
    """A publisher that traces; nobody imports it where nobody collects traces."""

    def __init__(self, producer: Producer, *, tracer: Tracer, **arguments: Any) -> None:
        super().__init__(producer, **arguments)
        self._tracer = tracer

    async def publish(self, record: Record) -> Stored:
        """Publish, as Publisher does, below the request's span."""
        with self._tracer.span(
            f"publish {record.topic}",
            kind=SpanKind.PRODUCER,
            attributes={
                **describe_topic(record.topic, "send"),
                EVENT_ID: read_headers(record.headers).get("ce_id", ""),
            },
        ) as span:
            headers = [*record.headers, (HEADER, write_parent(span).encode())]
            stored = await super().publish(record._replace(headers=headers))
            span.set_attributes(describe_place(stored.partition, stored.offset))
            return stored
