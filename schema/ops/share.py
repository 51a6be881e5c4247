"""Share a scrape target: of several processes behind one port, whichever is asked tells of all.

The kernel gives a scrape to any of them, so each would be seen now and then, and its counters seem
to jump. They find each other by sockets in a directory, each under the lowest number that is free:
that is their label `process`, which a restarted one gets again, so that no label lives on for ever.
"""

from __future__ import annotations

import asyncio
import fcntl
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schema.ops.metrics import ShareMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from aiohttp import web

    from schema.ops.settings import SharedSettings

MOST: Final = 64
"""So many processes of a service share a directory."""

ANSWER_TIMEOUT_S: Final = 2.0
"""One that is alive and says nothing for so long is left out; Prometheus itself waits for 10 s."""

_MOST_BYTES: Final = 16 * 1024 * 1024
"""Fifty times what the budget of series comes to."""


class _Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric of another process, as it is now."""

    name: str
    meaning: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(list[_Family]).decode


class _Whole(Collector):
    """The metrics of all processes at one moment."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}

    def add(self, families: Iterable[_Family], **label: str) -> None:
        """Add what a process has told, under its label."""
        for family in families:
            metric = self._metrics.get(family.name)
            if metric is None:
                metric = Metric(family.name, family.meaning, family.kind)
                self._metrics[family.name] = metric
            for name, labels, value in family.samples:
                metric.add_sample(name, label | labels, value)

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._metrics.values()


class Share:
    """What a process has in common with the others behind its port."""

    def __init__(self, directory: Path, *, service: str, registry: CollectorRegistry) -> None:
        self._directory = directory
        self._service = service
        self._registry = registry
        self._number = 0
        self._about = CollectorRegistry()
        self._processes = ShareMetrics(self._about).processes

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Answer the others while the application runs.

        Raises SystemExit where the directory cannot be used, or there are too many.
        """
        try:
            lock = self._take_number()
            server = await asyncio.start_unix_server(self._tell, self._socket(self._number))
        except OSError as error:
            reason = error.strerror or error
            raise SystemExit(
                f"METRICS_SHARE, {self._directory}, cannot be used: {reason}"
            ) from None
        with lock:
            async with server:
                yield
            self._socket(self._number).unlink(missing_ok=True)

    async def gather(self) -> CollectorRegistry:
        """Return the metrics of all, each under its number; bounded in time."""
        others = self._others()
        told = await asyncio.gather(*(_ask(self._socket(number)) for number in others))
        whole = _Whole()
        whole.add(_read(self._registry), process=str(self._number))
        for number, families in zip(others, told, strict=True):
            whole.add(families or (), process=str(number))
        self._processes.labels("told").set(1 + sum(map(bool, told)))
        self._processes.labels("silent").set(told.count(None))
        whole.add(_read(self._about))
        registry = CollectorRegistry()
        registry.register(whole)
        return registry

    def _take_number(self) -> BinaryIO:
        """Take the lowest number that is free, for as long as the file is open."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for self._number in range(MOST):
            lock = self._socket(self._number).with_suffix(".lock").open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                self._socket(self._number).unlink(missing_ok=True)  # of one that was killed
                return lock
        raise OSError(f"there are {MOST} processes already")

    def _others(self) -> list[int]:
        numbers = (number for number in range(MOST) if number != self._number)
        return [number for number in numbers if self._socket(number).exists()]

    def _socket(self, number: int) -> Path:
        return self._directory / f"{self._service}-{number}.socket"

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_ENCODE(_read(self._registry)))
        writer.close()


def share_metrics(
    settings: SharedSettings, service: str, registry: CollectorRegistry
) -> Share | None:
    """Return what a process of `service` shares, None where the settings say nothing of it."""
    if settings.metrics_share is None:
        return None
    return Share(settings.metrics_share, service=service, registry=registry)


async def _ask(socket: Path) -> list[_Family] | None:
    """Return what another process tells, nothing where it is gone, None where it is silent."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                return _DECODE(await _read_all(reader))
            finally:
                writer.close()
    except (FileNotFoundError, ConnectionRefusedError):
        return []
    except (OSError, TimeoutError, msgspec.MsgspecError):
        return None


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    """Read to the end, or to where no process of ours would be."""
    parts, size = [], 0
    while size <= _MOST_BYTES and (part := await reader.read(65536)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _read(registry: CollectorRegistry) -> list[_Family]:
    return [
        _Family(
            metric.name,
            metric.documentation,
            metric.type,
            [(sample.name, dict(sample.labels), sample.value) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]
