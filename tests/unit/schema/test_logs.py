"""What a log line looks like, and what is never in one."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from schema.ops.lines import MOST_LINES, Lines
from schema.ops.logs import configure_logs
from schema.ops.settings import ProcessSettings
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def _configure(monkeypatch: pytest.MonkeyPatch, log_format: str) -> Any:
    monkeypatch.setenv("LOG_FORMAT", log_format)
    configure_logs(ProcessSettings())
    return structlog.get_logger("tests")


def test_a_json_line_has_its_identifiers_under_context(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """level, message, timestamp, context: as the log reader is promised."""
    log = _configure(monkeypatch, "json")
    log.info("webhook_stored", event_id="msg_1", topic="t", partition=1, offset=2, status="x")
    line = json.loads(capsys.readouterr().err)
    del line["timestamp"]

    assert line == {
        "level": "info",
        "message": "webhook_stored",
        "context": {"eventId": "msg_1", "topic": "t", "partition": 1, "offset": 2},
        "status": "x",
    }


def test_the_libraries_lines_look_like_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One formatter for what we say and what they say."""
    _configure(monkeypatch, "json")
    logging.getLogger("somebody.else").warning("watch %s", "out")
    line = json.loads(capsys.readouterr().err)

    assert (line["level"], line["message"]) == ("warning", "watch out")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_values(
    log_format: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Local variables hold payloads: no format prints them."""
    log = _configure(monkeypatch, log_format)

    def fail(payload: bytes) -> None:
        del payload
        raise KeyError("a bug")

    address = b"nadia.quill@example.com"
    try:
        fail(address)
    except KeyError:
        log.exception("batch_failed")
    written = capsys.readouterr().err

    assert "a bug" in written
    assert "nadia" not in written


def test_a_library_that_repeats_itself_is_heard_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While Kafka is away, aiokafka says so many times a second; what we say is never left out."""
    log = _configure(monkeypatch, "json")
    for number in range(50):
        logging.getLogger("aiokafka.conn").error("attempt %s failed", number)
        logging.getLogger("somebody.else").error("attempt %s failed", number)
        log.error("ours")
    lines = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]

    assert lines.count("ours") == 50
    assert len(lines) == 50 + 50 + 1


async def test_lines_of_a_moment_are_written_together() -> None:
    """In their order; a warning is written at once, with all that was said before it."""
    stream = io.BytesIO()
    lines = Lines(stream)
    for word in (b"one", b"two"):
        lines.info(word)
    said_at_once = stream.getvalue()
    await until(lambda: _read(stream), bool)
    lines.info(b"three")
    lines.error(b"four")
    await asyncio.to_thread(lines.info, b"five")

    assert said_at_once == b""
    assert stream.getvalue().split() == [b"one", b"two", b"three", b"four", b"five"]


def test_what_a_loop_left_is_written() -> None:
    """One that stops before it has written leaves that to the next."""
    stream = io.BytesIO()
    lines = Lines(stream)

    async def speak(line: bytes) -> None:
        lines.info(line)

    async def speak_and_wait() -> None:
        lines.info(b"two")
        await until(lambda: _read(stream), bool)

    asyncio.run(speak(b"one"))
    asyncio.run(speak_and_wait())

    assert stream.getvalue() == b"one\ntwo\n"


async def test_no_more_lines_are_kept_than_that() -> None:
    """A loop that does nothing but speak fills no memory."""
    stream = io.BytesIO()
    lines = Lines(stream)
    for _ in range(MOST_LINES):
        lines.info(b"again")

    assert stream.getvalue() == b"again\n" * MOST_LINES


async def _read(stream: io.BytesIO) -> bytes:
    return stream.getvalue()


def test_no_text_of_a_library_steers_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does what an exception says; and nothing that they say looks like a line of ours."""
    log = _configure(monkeypatch, "console")
    log.info("told", route="/\x1b[2J\n2026-01-01 [info] forged")
    logging.getLogger("somebody.else").warning("\x1b[2J\x9b2J\rx\n2026-01-01 [info] forged")
    log.error("failed", exc_info=ValueError("\x1b]0;title\x07\n2026-01-01 [info] forged"))
    said = capsys.readouterr().err

    assert not set(said) & set("\x1b\x07\x9b\r")
    assert "x1b[2J" in said
    assert [line for line in said.splitlines() if line.startswith("2026-01-01")] == []
    assert said.count("forged") == 3
