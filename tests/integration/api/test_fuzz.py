"""Questions that no client asks: parameters, cursors, headers and tokens made up of anything."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes

import asyncpg
import pytest
from yarl import URL

from tests.fuzzing import read_corpus, runs
from tests.integration.api.world import World

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from tests.integration.api.conftest import Client, Serve

QUESTIONS: Final = 400
AT_ONCE: Final = 20
PATHS: Final = (
    *("/v1/me", "/v1/users", "/v1/posts", "/v1/changes", "/v1/openapi.json", "/docs", "/nothing"),
    *("/v1/users/{}", "/v1/users/{}/posts", "/v1/users/{}/data", "/v1/users/{}/sessions"),
    *("/v1/users/{}/history", "/v1/posts/{}", "/v1/organizations/{}", "/v1/events/{}"),
)
NAMES: Final = ("limit", "cursor", "since", "min_version", "x", "")
VALUES: Final = (
    *(b"", b"1", b"-1", b"0", b"100", b"9" * 30, b"now", b"user_1", b"org_1", b"msg_1", b"\x00"),
    *(b"\xff", "\u0661".encode(), b"1e3", b"\r\nX: y", b"../../etc/passwd", b"';--", b"%(x)s"),
    *(b"NaN", b"\xed\xa0\x80", "\u202e".encode(), b"a" * 300, b"[" * 300, b"%2e%2e%2f"),
    b"00000000-0000-0000-0000-000000000000",
)
HEADERS: Final = ("If-None-Match", "Prefer", "Last-Event-ID", "Accept", "Cookie", "X-Request-ID")
SAYS: Final = (
    *("", "*", '"a"', 'W/"a", "b"', "wait=0", "wait=00;x=1", "text/event-stream;q=x"),
    *("application/json", "__session=a.b.c; =; ;", "x" * 3000, "\u00ff", '"', "wait=1;"),
)


@pytest.fixture(scope="module")
async def client(serve: Serve, shared_database_url: str) -> AsyncIterator[Client]:
    """Serve the API over a database with one user."""
    connection = await asyncpg.connect(shared_database_url)
    await World(connection).user("user_1")
    await connection.close()
    async with serve(shared_database_url) as client:
        yield client


def write_value(chance: random.Random) -> str:
    """Return a value as an address carries it, now and then a cursor of any bytes."""
    if chance.random() < 0.4:
        packed = bytes([chance.randrange(7)]) + chance.randbytes(chance.choice((3, 8, 15, 24, 40)))
        return base64.urlsafe_b64encode(packed).decode().rstrip("=" * chance.randrange(2))
    return quote_from_bytes(chance.choice(VALUES), safe="")


def write_question(chance: random.Random) -> tuple[str, dict[str, str]]:
    """Return an address and headers."""
    path = chance.choice(PATHS).replace("{}", write_value(chance) or "x")
    pairs = [
        f"{chance.choice(NAMES)}={write_value(chance)}" for _ in range(chance.choice((0, 1, 2)))
    ]
    headers = {chance.choice(HEADERS): chance.choice(SAYS) for _ in range(chance.choice((0, 1, 2)))}
    return f"{path}?{'&'.join(pairs)}", headers


async def ask(client: Client, url: str, headers: dict[str, str]) -> None:
    """Ask as a user; a stream is left at once."""
    sent = {"Authorization": f"Bearer {client.token('user_1')}", "Prefer": "wait=0"} | headers
    target = URL(url, encoded=True)
    async with client.http.get(target, headers=sent, allow_redirects=False) as response:
        # 504: what was waited for did not come, which is an answer.
        assert response.status < 500 or response.status == 504, (
            f"keep it in tests/corpus/queries: {url} {headers}"
        )


async def test_no_question_breaks_the_api(client: Client) -> None:
    """Each has an answer, and none of them is that a fault of ours was found."""
    for stored in read_corpus("queries"):
        await ask(client, stored.decode().strip(), {})
    waiting = []
    for chance in runs(QUESTIONS):
        waiting.append(ask(client, *write_question(chance)))
        if len(waiting) == AT_ONCE:
            await asyncio.gather(*waiting)
            waiting = []
    await asyncio.gather(*waiting)
