"""A way to see that a process has ended; a worker for the desk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest

from deploy.stack.ports import free_port
from tests.factories import new_user_id
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Gone = Callable[[int], bool]


@pytest.fixture
def gone() -> Gone:
    """Tell whether the process with a pid is no more, or will be within ten seconds."""

    def gone(pid: int) -> bool:
        give_up = time.monotonic() + 10
        while _runs(pid) and time.monotonic() < give_up:
            time.sleep(0.02)
        return not _runs(pid)

    return gone


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def _leave_logs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run in this process must not decide how it logs: loggers never forget it."""
    for module in ("letters.run", "letters.edit", "rebuild.run"):
        monkeypatch.setattr(f"deploy.{module}.configure_logs", lambda _settings: None)


@pytest.fixture
async def desk(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A worker on this test's database; the console finds both servers too."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    async with running_worker(WorkerSettings()):
        yield


@pytest.fixture
def user() -> str:
    """A user of this test's own: every test shares the topics."""
    return new_user_id()
