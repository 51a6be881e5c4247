"""Trace batches: a span for each, linked to the events in it, and one for each event.

An event's span is below the one that published it, so that one trace leads from the request to
what others are told. Only of traces that somebody keeps: of the others the id goes on, and no more.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schema.ops.tracing.parents import is_sampled, read_parent
from schema.ops.tracing.records import EVENT_ID, describe_place, describe_topic
from schema.ops.tracing.tracer import Span, SpanKind, Tracer, fail, write_parent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from workers.decode import Event
    from workers.record import Applied


class Traced(NamedTuple):
    """A batch, and the spans of its events."""

    events: Sequence[Event]
    """They know their traces."""
    spans: Mapping[int, Span]
    """By the identities of the events."""

    def tell(self, applied: Iterable[Applied]) -> None:
        """Note what became of each."""
        for each in applied:
            span = self.spans.get(id(each.event))
            if span is None:
                continue
            span.set_attribute("clerkwork.outcome", each.outcome)
            if each.error_class:
                fail(span, each.error_class)


class Tracing:
    """Traces what a consumer does."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Trace while the context lasts, as Tracer does."""
        return self._tracer.running()

    @contextlib.contextmanager
    def batch(self, events: Sequence[Event], *, group: str) -> Iterator[Traced]:
        """Have spans for `events` and for all of them together while the context lasts."""
        parents = [read_parent(event.record.headers) for event in events]
        with self._tracer.span(
            "process batch",
            kind=SpanKind.CONSUMER,
            links=dict.fromkeys(parent for parent in parents if parent),
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.consumer.group.name": group,
                "messaging.batch.message_count": len(events),
            },
        ) as whole:
            traced = self._begin(events, parents, whole=write_parent(whole))
            try:
                yield traced
            except BaseException as error:
                for span in traced.spans.values():
                    fail(span, type(error).__name__)
                raise
            finally:
                for span in traced.spans.values():
                    span.end()

    def applying(self, events: Sequence[Event]) -> contextlib.AbstractContextManager[Span]:
        """Have a span for a transaction while the context lasts."""
        return self._tracer.span(
            "apply",
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.operation.batch.size": len(events)},
        )

    def _begin(
        self, events: Sequence[Event], parents: Sequence[str | None], *, whole: str
    ) -> Traced:
        known: list[Event] = []
        spans: dict[int, Span] = {}
        for event, parent in zip(events, parents, strict=True):
            span = self._start(event, parent, whole) if parent and is_sampled(parent) else None
            # What nobody traced on its way here begins with the batch.
            goes_on = write_parent(span) if span else parent or whole
            known.append(msgspec.structs.replace(event, traceparent=goes_on))
            if span:
                spans[id(known[-1])] = span
        return Traced(known, spans)

    def _start(self, event: Event, parent: str, whole: str) -> Span:
        record = event.record
        return self._tracer.start(
            f"process {record.topic}",
            kind=SpanKind.CONSUMER,
            parent=parent,
            links=[whole],
            attributes={
                **describe_topic(record.topic, "process"),
                **describe_place(record.partition, record.offset),
                EVENT_ID: event.event_id,
            },
        )
