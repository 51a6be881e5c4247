"""Who runs on which cores."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


@dataclass(frozen=True, kw_only=True)
class Cores:
    """Who runs where: what is measured has a core that nobody else is given."""

    server: Sequence[int]
    """For a server that is measured."""

    rest: Sequence[int]
    """For Kafka, PostgreSQL and the load; the same where there is only one."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len({*self.server, *self.rest})


def share_cores() -> Cores:
    """Return who gets which of the cores that we may use."""
    first, *others = sorted(os.sched_getaffinity(0))
    return Cores(server=[first], rest=others or [first])


@contextlib.contextmanager
def on_all(cores: Cores, pids: Sequence[int]) -> Iterator[None]:
    """Let processes, with their threads and children, use all cores while the context lasts."""
    before = {pid: os.sched_getaffinity(pid) for pid in pids}
    for pid in pids:
        _keep_to(pid, {*cores.server, *cores.rest})
    try:
        yield
    finally:
        for pid, own in before.items():
            _keep_to(pid, own)


def _keep_to(pid: int, cores: Collection[int]) -> None:
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            for thread in each.threads():
                os.sched_setaffinity(thread.id, cores)
