"""The machine and the software that figures were found on; nothing that says whose it is."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import psutil

from deploy.stack.jars import LOCK

SETTINGS: Final = (
    *("fsync", "synchronous_commit", "full_page_writes"),
    *("shared_buffers", "min_wal_size", "max_wal_size", "checkpoint_timeout"),
)
LIBRARIES: Final = ("aiohttp", "aiokafka", "asyncpg", "faststream", "msgspec", "uvloop")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What figures depend on."""

    cpu: str
    cores: int
    """Those that we may use."""

    memory_gb: int
    kernel: str
    filesystem: str
    """Where Kafka and PostgreSQL keep their data: what fsync costs depends on it."""

    python: str
    versions: Mapping[str, str]
    """Library or server -> version."""

    postgres: Mapping[str, str]
    """Setting -> value, of those that durability and whole pages in the log depend on."""

    def __str__(self) -> str:
        """Write it as the head of a report."""
        versions = ", ".join(f"{name} {found}" for name, found in self.versions.items())
        settings = ", ".join(f"{name} {value}" for name, value in self.postgres.items())
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gb} GB, {self.kernel},"
            f" data on {self.filesystem}\nPython {self.python}, {versions}\n{settings}"
        )


async def look_at_machine(database_url: str, *, data: Path, cores: int) -> Machine:
    """Return what everything runs on."""
    connection = await asyncpg.connect(database_url)
    server = ".".join(map(str, connection.get_server_version()[:2]))
    settings = {
        name: await connection.fetchval("SELECT current_setting($1)", name) for name in SETTINGS
    }
    await connection.close()
    return Machine(
        cpu=_cpu_model(),
        cores=cores,
        memory_gb=round(psutil.virtual_memory().total / 1e9),
        kernel=f"{platform.system()} {platform.release()}",
        filesystem=_filesystem(data),
        python=platform.python_version(),
        versions={name: version(name) for name in LIBRARIES}
        | {"PostgreSQL": server, "Kafka": _kafka_version()},
        postgres=settings,
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _kafka_version() -> str:
    found = re.search(r"org\.apache\.kafka:kafka[^:]*:([\w.]+)", LOCK.read_text())
    return found[1] if found else "unknown"


def _filesystem(data: Path) -> str:
    """Return the kind of filesystem that a directory is on."""
    mounts = [
        each
        for each in psutil.disk_partitions(all=True)
        if data.resolve().is_relative_to(each.mountpoint)
    ]
    return max(mounts, key=lambda each: len(each.mountpoint)).fstype if mounts else "unknown"
