"""The consumer in the documentation, as it stands there, on a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import asyncpg
import pytest

from deploy.stack.ports import free_port
from tests.conftest import ROOT
from tests.factories import make_record, new_user_id, user_event
from tests.waiting import until
from workers.apply import apply
from workers.decode import decode
from workers.relay.app import running_relay
from workers.relay.settings import RelaySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    Pool = asyncpg.Pool[asyncpg.Record]

PAGE = (ROOT / "deploy/docs/how-to/follow-changes.md").read_text(encoding="utf-8")
CONSUMER = re.compile(r"<!-- consumer -->\n```python\n(.*?)\n```\n<!-- /consumer -->", re.DOTALL)


@pytest.fixture
async def pool(bootstrap_servers: str, database_url: str) -> AsyncIterator[Pool]:
    """The pool of a worker, on a database from which a relay publishes."""
    settings = RelaySettings.model_validate(
        {
            "kafka_bootstrap_servers": bootstrap_servers,
            "database_url": database_url,
            "relay_metrics_port": free_port(),
        }
    )
    async with running_relay(settings), asyncpg.create_pool(database_url, min_size=1) as pool:
        yield pool


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with nothing but what the page shows."""
    [code] = CONSUMER.findall(PAGE)
    (tmp_path / "copy_users.py").write_text(code, encoding="utf-8")
    return tmp_path


@contextlib.contextmanager
def _running(place: Path, bootstrap_servers: str) -> Iterator[subprocess.Popen[str]]:
    """Run the consumer until the context ends, when it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "copy_users.py"],
        cwd=place,
        env={"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _copy(place: Path, users: list[str]) -> dict[str, str | None]:
    """Return the first names of those users whom the copy has."""
    with contextlib.closing(sqlite3.connect(place / "users.db")) as copy:
        rows = copy.execute("SELECT clerk_id, state FROM users").fetchall()
    return {user: json.loads(state)["first_name"] for user, state in rows if user in users}


async def _tell(pool: Pool, users: list[str], name: str, *, at: int) -> None:
    bodies = [user_event(user, at=at, first_name=name) for user in users]
    await apply(pool, [decode(make_record(body)) for body in bodies])


async def test_the_consumer_of_the_page_keeps_a_copy(
    pool: Pool, place: Path, bootstrap_servers: str
) -> None:
    """From the beginning, then as it happens; killed and run again it goes on."""
    users = [new_user_id() for _ in range(30)]
    await _tell(pool, users, "One", at=0)
    with _running(place, bootstrap_servers) as consumer:
        assert consumer.stdout
        assert await asyncio.to_thread(consumer.stdout.readline) == "up to date\n"
        await until(lambda: _copied(place, users), lambda copy: copy == dict.fromkeys(users, "One"))
        await _tell(pool, users[:9], "Two", at=1)
        gone = user_event(users[0], at=2, kind="user.deleted")
        await apply(pool, [decode(make_record(gone))])
        expected = dict.fromkeys(users[1:], "One") | dict.fromkeys(users[1:9], "Two")
        await until(lambda: _copied(place, users), lambda copy: copy == expected)
    await _tell(pool, users[5:20], "Three", at=3)
    expected |= dict.fromkeys(users[5:20], "Three")
    with _running(place, bootstrap_servers):
        await until(lambda: _copied(place, users), lambda copy: copy == expected)


async def _copied(place: Path, users: list[str]) -> dict[str, str | None]:
    return _copy(place, users)
