"""Processes that share a scrape target find each other, and tell of those who do not answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from schema.ops import share as module
from schema.ops.metrics import WorkerMetrics
from schema.ops.share import Share, share_metrics
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@contextlib.asynccontextmanager
async def sharing(directory: Path, events: int = 0) -> AsyncIterator[Share]:
    """Take part, as a worker that has applied so many events."""
    registry = CollectorRegistry()
    WorkerMetrics(registry).events.labels("applied").inc(events)
    share = Share(directory, service="worker", registry=registry)
    running = share.running(cast("Any", None))
    await anext(running)
    try:
        yield share
    finally:
        with pytest.raises(StopAsyncIteration):
            await anext(running)


async def _applied(share: Share) -> dict[str, float]:
    """Return process -> the events it has applied, as the text that is served says."""
    begins = 'clerkwork_events_total{outcome="applied",process="'
    text = generate_latest(await share.gather()).decode()
    lines = [line.removeprefix(begins) for line in text.splitlines() if line.startswith(begins)]
    found = {line.partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}
    assert len(found) == len(lines)
    return found


async def _processes(share: Share) -> tuple[float | None, float | None]:
    """Return how many have told, and how many are silent."""
    whole = await share.gather()
    name = "clerkwork_processes"
    return (
        whole.get_sample_value(name, {"state": "told"}),
        whole.get_sample_value(name, {"state": "silent"}),
    )


async def test_each_tells_of_all(tmp_path: Path) -> None:
    """The same, whoever is asked, and whoever asks at the same moment."""
    async with sharing(tmp_path, 3) as first, sharing(tmp_path, 4) as second:
        for found in await asyncio.gather(*map(_applied, [first, second] * 5)):
            assert found == {"0": 3, "1": 4}
        assert await _processes(second) == (2, 0)


async def test_who_ends_is_told_of_no_more_and_leaves_its_number(tmp_path: Path) -> None:
    """Labels do not grow with restarts."""
    async with contextlib.AsyncExitStack() as stack, sharing(tmp_path, 3):
        other = await stack.enter_async_context(sharing(tmp_path, 4))
        await stack.aclose()
        async with sharing(tmp_path, 5) as again:
            assert await _applied(again) == {"0": 3, "1": 5}
        del other


async def test_what_one_that_was_killed_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """Its socket is there, nobody listens, and its number is free."""
    for number in (0, 1):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(tmp_path / f"worker-{number}.socket"))
    async with sharing(tmp_path, 3) as share:
        assert await _applied(share) == {"0": 3}
        assert await _processes(share) == (1, 0)


@pytest.mark.parametrize("answer", [None, b"\xff", b""])
async def test_who_does_not_answer_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None
) -> None:
    """Frozen, or nothing that can be understood: the others are told of all the same."""
    monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 0.1)

    writers: list[asyncio.StreamWriter] = []

    async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer is not None:
            writer.write(answer)
            writer.close()

    async with sharing(tmp_path, 3) as share:
        server = await asyncio.start_unix_server(tell, tmp_path / "worker-1.socket")
        async with server:
            assert await _processes(share) == (1, 1)
            assert await _applied(share) == {"0": 3}
    for writer in writers:
        writer.close()


async def test_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, in words; as with a directory that is none."""
    monkeypatch.setattr(module, "MOST", 1)
    async with sharing(tmp_path):
        with pytest.raises(SystemExit, match="cannot be used: there are 1 processes already"):
            async with sharing(tmp_path):
                pass
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"METRICS_SHARE, .*file, cannot be used: File exists"):
        async with sharing(tmp_path / "file"):
            pass


def test_nothing_is_shared_unless_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the variable is there and empty."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "localhost:1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@localhost/d")
    monkeypatch.setenv("METRICS_SHARE", "")

    assert share_metrics(WorkerSettings(), "worker", CollectorRegistry()) is None
