"""A desk on real servers, an administrator who sits at it, and a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.stack.ports import free_port
from tests.desk import insert_admin, seated, serving_desk
from tests.factories import new_user_id
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from tests.desk import Seat
    from tests.serving import Server

    Database = asyncpg.Connection[asyncpg.Record]


@pytest.fixture(autouse=True)
def _leave_logs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run in this process must not decide how it logs: loggers never forget it."""
    monkeypatch.setattr("deploy.letters.run.configure_logs", lambda _settings: None)


@pytest.fixture
async def server(bootstrap_servers: str, database_url: str) -> AsyncIterator[Server]:
    """A desk on this test's database."""
    async with serving_desk(bootstrap_servers, database_url) as server:
        yield server


@pytest.fixture
async def stranger(server: Server) -> AsyncIterator[Seat]:
    """A browser that is not signed in."""
    async with seated(server) as seat:
        yield seat


@pytest.fixture
async def admin(database: Database) -> str:
    """The clerk id of an administrator."""
    return await insert_admin(database)


@pytest.fixture
async def seat(server: Server, admin: str) -> AsyncIterator[Seat]:
    """A browser in which the administrator is signed in."""
    async with seated(server) as seat:
        await seat.sign_in(admin)
        yield seat


@pytest.fixture
def user() -> str:
    """A user of this test's own: every test shares the topics."""
    return new_user_id()


@pytest.fixture
async def worker(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A worker on this test's database."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    async with running_worker(WorkerSettings()):
        yield
