"""Open traces, or do nothing: where nobody collects them, OpenTelemetry is not even imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schema.ops.settings import TracedSettings
    from schema.ops.tracing.tracer import Tracer


def open_tracer(settings: TracedSettings, *, service: str) -> Tracer | None:
    """Return who traces, None where the environment names no collector.

    `service` is what traces call this process, unless OTEL_SERVICE_NAME says otherwise. All other
    variables of OpenTelemetry's SDK hold too: samplers, limits of queues, headers.
    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    if not settings.traced:
        return None
    from schema.ops.tracing.tracer import Tracer, build_provider  # noqa: PLC0415  # see above

    return Tracer(build_provider(service))
