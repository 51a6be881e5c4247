"""Traces: what a header says, what a span keeps to itself, and that nothing is done without."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from schema.kafka.headers import Failure, without_failure, write_failure_headers
from schema.kafka.letters import write_replay_headers
from schema.ops.settings import TracedSettings
from schema.ops.tracing.open import open_tracer
from schema.ops.tracing.parents import HEADER, find_trace_id, is_sampled, name_trace, read_parent
from schema.ops.tracing.tracer import Tracer, current_trace_id, write_parent
from tests.factories import make_record, user_event
from workers.decode import decode
from workers.record import Applied, failed
from workers.tell import find_causes
from workers.trace import Tracing

if TYPE_CHECKING:
    from workers.decode import Event

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
DROPPED = PARENT[:-2] + "00"
UNUSED = {
    *("opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf"),
    *("opentelemetry.trace.propagation.tracecontext", "schema.ops.tracing.tracer"),
}
SERVICES = "ingest.app", "workers.app", "workers.relay.app", "api.app"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """What was exported."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    """A tracer that exports at once."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracer(provider)


def _event(parent: str | None, user: str = "user_1") -> Event:
    headers = [("ce_id", b"msg_1"), *([(HEADER, parent.encode())] if parent else [])]
    return decode(make_record(user_event(user, at=1), headers=headers))


def test_without_a_collector_tracing_is_not_even_imported() -> None:
    """Off costs nothing, not even memory: redis-py takes its part of the SDK, nobody else does."""
    program = (
        "import importlib, os, sys\n"
        f"for name in {SERVICES!r}: importlib.import_module(name)\n"
        "from ingest.settings import IngestSettings\n"
        "from schema.ops.logs import configure_logs\n"
        "configure_logs(IngestSettings())\n"
        "importlib.import_module('ingest.app').build_app(IngestSettings())\n"
        f"assert not {UNUSED!r} & sys.modules.keys()\n"
        "os.environ['OTEL_EXPORTER_OTLP_ENDPOINT'] = 'http://127.0.0.1:9'\n"
        "importlib.import_module('ingest.app').build_app(IngestSettings())\n"
        "assert 'opentelemetry.sdk.trace' in sys.modules\n"
    )
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "changes",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {"OTEL_SDK_DISABLED": "true"}],
)
def test_nobody_traces_unless_asked(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    """An endpoint makes traces, unless it is empty or the standard's switch is off."""
    if "OTEL_SDK_DISABLED" in changes:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    for name, value in changes.items():
        monkeypatch.setenv(name, value)

    assert open_tracer(TracedSettings(), service="tests") is None


def test_an_endpoint_that_is_no_url_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each export would fail, and nobody would know why."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")

    with pytest.raises(ValueError, match="http"):
        TracedSettings()


@given(st.one_of(st.none(), st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
def test_any_bytes_are_a_parent_or_nothing(value: bytes | None) -> None:
    """Records come from anywhere."""
    found = read_parent([(HEADER, value)])

    assert found is None or found.encode() == value


@pytest.mark.parametrize(
    "value",
    [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        PARENT.upper(),
        PARENT + "\n",
        PARENT + "-more",
    ],
)
def test_what_is_not_valid_is_no_parent(value: str) -> None:
    """As W3C Trace Context has it."""
    assert read_parent([(HEADER, value.encode())]) is None


def test_a_parent_says_its_trace_and_whether_it_is_kept() -> None:
    """The last header of that name wins, as everywhere."""
    assert read_parent([(HEADER, DROPPED.encode()), (HEADER, PARENT.encode())]) == PARENT
    assert (is_sampled(PARENT), is_sampled(DROPPED)) == (True, False)
    assert name_trace(PARENT) == {"trace_id": find_trace_id(PARENT)}
    assert name_trace(None) == {}


def test_failures_and_replays_keep_the_trace() -> None:
    """Retry topics, dead-letter topics, and back from there."""
    failure = Failure(error_class="bug", error_code="UNEXPECTED_ERROR", message="")
    record = [("ce_id", b"msg_1"), (HEADER, PARENT.encode())]
    letter = without_failure(record) + write_failure_headers(failure)

    assert read_parent(letter) == PARENT
    assert read_parent(without_failure(letter)) == PARENT
    assert read_parent(write_replay_headers(letter, edited=True)) == PARENT


def test_a_span_tells_the_kind_of_an_error_and_not_its_message(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    """Messages quote what somebody sent."""

    def break_off() -> None:
        with tracer.span("work"):
            raise KeyError("ada@example.com")

    with pytest.raises(KeyError):
        break_off()

    (span,) = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "KeyError"}
    assert "ada@" not in span.to_json()


def test_a_span_is_below_its_parent_and_current(tracer: Tracer) -> None:
    """Log lines and spans within it belong to the same trace."""
    assert current_trace_id() is None
    with tracer.span("work", parent=PARENT) as span:
        assert current_trace_id() == find_trace_id(PARENT)
        assert find_trace_id(write_parent(tracer.start("more"))) == find_trace_id(PARENT)
        assert write_parent(span) != PARENT
    assert current_trace_id() is None


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "x" * 600])
def test_a_parent_that_is_none_begins_a_trace(tracer: Tracer, parent: str) -> None:
    """Callers send what they want."""
    with tracer.span("work", parent=parent):
        assert current_trace_id()


def test_a_batch_links_to_its_events_and_each_has_its_own_span(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    """Below what published it, where its trace is kept; else the trace goes on without spans."""
    events = [_event(PARENT), _event(DROPPED), _event(None)]
    with Tracing(tracer).batch(events, group="tests") as traced:
        kept, dropped, new = traced.events
        traced.tell(
            [
                failed(kept, reason="ada@example.com", error_class="poison.data"),
                Applied(dropped, "applied"),
                Applied(new, "applied"),
            ]
        )
    whole = next(each for each in exporter.get_finished_spans() if each.name == "process batch")
    (span,) = (each for each in exporter.get_finished_spans() if each is not whole)

    assert span.parent
    assert f"{span.parent.span_id:016x}" in PARENT
    assert {"clerkwork.outcome": "dead", "error.type": "poison.data"}.items() <= dict(
        span.attributes or {}
    ).items()
    assert "ada@" not in span.to_json()
    assert len(whole.links) == 2  # both parents: of the one that is dropped the id is known
    assert kept.traceparent == f"{PARENT[:36]}{span.context.span_id:016x}-01"
    assert dropped.traceparent == DROPPED
    assert new.traceparent
    assert f"{whole.context.trace_id:032x}" in new.traceparent


def test_a_change_was_caused_by_the_latest_event_that_was_applied(tracer: Tracer) -> None:
    """Not by what came too late."""
    with Tracing(tracer).batch([_event(PARENT), _event(None)], group="tests") as traced:
        first, second = traced.events
    (user,) = {row.id for row in first.rows if type(row).__name__ == "UserRow"}

    assert find_causes([Applied(first, "applied"), Applied(second, "stale")])[user] == (
        first.traceparent
    )
    assert find_causes([Applied(_event(PARENT), "applied")]) == {}
