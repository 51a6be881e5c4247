"""Trace what is told: a span for each transaction, and one for each change below what caused it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schema.ops.tracing.parents import is_sampled
from schema.ops.tracing.records import describe_topic
from schema.ops.tracing.tracer import Span, SpanKind, Tracer, fail, write_parent
from workers.relay.publish import Publisher

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from aiokafka import AIOKafkaProducer

    from workers.relay.fetch import Change


class TracingPublisher(Publisher):
    """A publisher that traces; nobody imports it where nobody collects traces."""

    def __init__(self, producer: AIOKafkaProducer, *, tracer: Tracer) -> None:
        super().__init__(producer)
        self._tracer = tracer

    async def publish(self, changes: Sequence[Change], *, sent: asyncio.Event) -> None:
        """Publish, as Publisher does; the headers say which traces go on."""
        parents = dict.fromkeys(change.traceparent for change in changes if change.traceparent)
        with self._tracer.span(
            "publish changes",
            kind=SpanKind.PRODUCER,
            links=parents,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "send",
                "messaging.batch.message_count": len(changes),
            },
        ) as whole:
            spans = [self._start(change, write_parent(whole)) for change in changes]
            traced = [
                change._replace(traceparent=write_parent(span)) if span else change
                for change, span in zip(changes, spans, strict=True)
            ]
            try:
                await super().publish(traced, sent=sent)
            except BaseException as error:
                for span in filter(None, spans):
                    fail(span, type(error).__name__)
                raise
            finally:
                for span in filter(None, spans):
                    span.end()

    def _start(self, change: Change, whole: str) -> Span | None:
        if not (change.traceparent and is_sampled(change.traceparent)):
            return None
        return self._tracer.start(
            f"publish {change.topic}",
            kind=SpanKind.PRODUCER,
            parent=change.traceparent,
            links=[whole],
            attributes={
                **describe_topic(change.topic, "send"),
                "clerkwork.position": change.position,
            },
        )
