"""Log lines: level, message, timestamp, context, error, on standard error.

Our lines and the libraries' go through one formatter. Identifiers, never objects; no personal
data, no tokens, no secrets.
"""

from __future__ import annotations

import io
import logging
import sys
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

import msgspec
import structlog

from schema.ops.lines import Lines
from schema.ops.settings import TracedSettings

if TYPE_CHECKING:
    from typing import TextIO

    from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

    from schema.ops.settings import ProcessSettings

CONTEXT: Final = {
    "request_id": "requestId",
    "user_id": "userId",
    "organization_id": "organizationId",
    "route": "route",
    "event_id": "eventId",
    "trace_id": "traceId",
    "topic": "topic",
    "partition": "partition",
    "offset": "offset",
}
"""Our keyword -> the name under `context` in the written line."""

# One line per message or per connection attempt is noise at the libraries' own levels.
_QUIET: Final = (
    *("aiokafka", "faststream", "aiohttp.access", "alembic", "asyncio"),
    *("opentelemetry", "urllib3"),
)

_REPEAT_S: Final = 10.0


class _Sparse(logging.Filter):
    """Lets each place in a library's code speak every ten seconds.

    While Kafka is away, aiokafka says so many times a second, for as long as it lasts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._spoke: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_QUIET):
            return True
        place = record.pathname, record.lineno
        if record.created - self._spoke.get(place, 0.0) < _REPEAT_S:
            return False
        self._spoke[place] = record.created
        return True


class _Handler(logging.Handler):
    """Lets the libraries' lines go where ours go, so that they keep their order."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write = self._lines.warning if record.levelno >= logging.WARNING else self._lines.msg
            write(self.format(record).encode(errors="backslashreplace"))
        except Exception:  # noqa: BLE001  # as every handler does: a line must not stop its speaker
            self.handleError(record)


@lru_cache(2)  # the second that it is, and the one that has just passed
def _write_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    second, rest_ns = divmod(time.time_ns(), 1_000_000_000)
    event["timestamp"] = f"{_write_second(second)}.{rest_ns // 1000:06d}Z"
    return event


_ENCODE: Final = msgspec.json.Encoder(enc_hook=repr).encode


def _render_json(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
    """Gather the identifiers under `context` and call the event's name `message`."""
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    context = {name: event.pop(key) for key, name in CONTEXT.items() if key in event}
    if context:
        event["context"] = context
    if "exception" in event:
        event["error"] = event.pop("exception")
    event["message"] = event.pop("event")
    return _ENCODE(event)


def configure_logs(settings: ProcessSettings) -> None:
    """Send every log line of this process to standard error, as `settings` ask."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _stamp,
    ]
    if isinstance(settings, TracedSettings) and settings.traced:
        shared.append(_trace())
    ending = [_render_json] if settings.log_format == "json" else _console_ending()
    lines = Lines(sys.stderr.buffer)
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        # Straight to the stream: the way through `logging` costs several times as much per line.
        logger_factory=lambda *_names: lines,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *ending,
                _decode_line,
            ],
        )
    )
    handler.addFilter(_Sparse())
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _trace() -> Processor:
    """Return what puts the trace into a line that belongs to one."""
    from schema.ops.tracing.tracer import current_trace_id  # noqa: PLC0415  # only where traced

    def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if "trace_id" not in event and (trace_id := current_trace_id()):
            event["trace_id"] = trace_id
        return event

    return add_trace


def _console_ending() -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        exception_formatter=_write_traceback,
    )
    return [_disarm, renderer, _encode_line]


_ARMLESS: Final = {
    number: f"\\x{number:02x}"
    for number in (*range(0x20), *range(0x7F, 0xA0))
    if number not in b"\t\n"
}
"""What moves the cursor, colours or clears a terminal -> how it is written instead."""


def _disarm(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Let no text of a library's steer the terminal or begin a line; our own values are quoted."""
    said = str(event["event"])
    if not said.isprintable():
        event["event"] = said.translate(_ARMLESS).replace("\n", "\n    ")
    return event


def _write_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """Write a traceback without local variables: those are whole payloads, personal data and all.

    What an exception says may be a stranger's words.
    """
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    stream.write(plain.getvalue().translate(_ARMLESS).replace("\n", "\n    "))


def _encode_line(_logger: WrappedLogger, _method: str, line: EventDict) -> bytes:
    return str(line).encode(errors="backslashreplace")


def _decode_line(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    return bytes(cast("bytes", line)).decode()
