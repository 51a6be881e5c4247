"""Databases that have seen no revision, and a revision that is still to come."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest

from deploy.revisions import MIGRATIONS
from tests.revisions import write_revision

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.conftest import Servers

    AddRevision = Callable[..., Path]


@pytest.fixture
async def empty_database_url(servers: Servers) -> AsyncIterator[str]:
    """The URL of a database without tables, of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(servers.database_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield f"{servers.database_url.rpartition('/')[0]}/{name}"
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def empty_database(
    empty_database_url: str,
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to it."""
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


@pytest.fixture
def add_revision(tmp_path: Path) -> AddRevision:
    """Return a function that copies the migrations and adds one; it returns where they are."""

    def add(*, up: str, down: str = "SELECT 1", phase: str = "expand") -> Path:
        scripts = tmp_path / "migrations"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(MIGRATIONS, scripts, ignore=ignored, dirs_exist_ok=True)
        write_revision(scripts, up=up, down=down, phase=phase)
        return scripts

    return add
