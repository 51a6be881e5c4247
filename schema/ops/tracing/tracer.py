"""A tracer: spans with identifiers alone, exported beside the work and never in its way.

What a collector does not take in time is dropped: the queue is bounded (OTEL_BSP_MAX_QUEUE_SIZE),
and a thread of its own sends it. Of an exception only the type is told: its message may quote
what somebody sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schema import VERSION
from schema.ops.tracing.parents import HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

    Attributes = Mapping[str, AttributeValue]

__all__ = ["Span", "SpanKind", "Tracer", "build_provider"]

CLOSE_S: Final = 3.0
"""A collector that does not answer keeps no process from ending for longer."""
MAX_LINKS: Final = 128
"""More links than these OpenTelemetry forgets again: OTEL_SPAN_LINK_COUNT_LIMIT."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


def build_provider(service: str) -> TracerProvider:
    """Return what makes spans and exports them, as the environment's OTEL_ variables say."""
    # Whoever names the service in the environment knows better.
    named = OTELResourceDetector().detect().attributes
    resource = Resource.create({"service.name": service, "service.version": VERSION, **named})
    # Tracer.close ends it, in a bounded time; at exit it would wait for half a minute.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Tracer:
    """Makes spans; what is done within one, and logged, belongs to it."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("clerkwork", VERSION)

    def start(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: str | None = None,
        links: Iterable[str] = (),
        attributes: Attributes | None = None,
    ) -> Span:
        """Return a span that the caller ends.

        It is below the `traceparent` that is given as `parent`, else below the span that is
        current; `links` are others that it has to do with, MAX_LINKS at most.
        """
        contexts = [read_context(each) for each, _ in zip(links, range(MAX_LINKS), strict=False)]
        return self._tracer.start_span(
            name,
            context=_context(parent) if parent else None,
            kind=kind,
            attributes=attributes,
            links=[Link(context) for context in contexts if context.is_valid],
        )

    @contextlib.contextmanager
    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: str | None = None,
        links: Iterable[str] = (),
        attributes: Attributes | None = None,
    ) -> Iterator[Span]:
        """Have a span while the context lasts, and be within it; as `start` says."""
        span = self.start(name, kind=kind, parent=parent, links=links, attributes=attributes)
        try:
            with within(span):
                yield span
        except BaseException as error:
            fail(span, type(error).__name__)
            raise
        finally:
            span.end()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Trace while the context lasts; at its end send what is left, for CLOSE_S at most."""
        try:
            yield
        finally:
            closing = threading.Thread(target=self._provider.shutdown, daemon=True)
            closing.start()
            await asyncio.to_thread(closing.join, CLOSE_S)


def within(span: Span) -> contextlib.AbstractContextManager[Span]:
    """Be within `span` while the context lasts, without ending it."""
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def fail(span: Span, kind: str) -> None:
    """Note that what `span` is about has failed, and the kind of the error, never its message."""
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def write_parent(span: Span) -> str:
    """Return the `traceparent` of what goes on below `span`."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier.get(HEADER, "")


def read_context(parent: str) -> trace.SpanContext:
    """Return who a `traceparent` names; one that is not valid where it is none."""
    return trace.get_current_span(_context(parent)).get_span_context()


def current_trace_id() -> str | None:
    """Return the id of the trace that is current, None outside of all."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _context(parent: str) -> Context:
    return _PROPAGATOR.extract({HEADER: parent}, Context())
