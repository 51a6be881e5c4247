"""Whatever is sent, the answer is one that the document foresees: schemathesis asks.

It runs as the process that it is, with a seed and bounds; the service under it is real.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp import ClientSession

from api.wait import Wish
from ingest.app import build_app
from ingest.receive import PATH
from ingest.settings import IngestSettings
from tests.documenting import DOCUMENTS, watch
from tests.factories import ingest_environment
from tests.integration.api.examples import WHO, insert_examples
from tests.serving import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.api.conftest import Outbox, Serve, Sign

SEED: Final = 20260131
CHECKS: Final = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "unsupported_method"),
)
WITHIN_S: Final = 90
_WELL: Final = re.compile(r'clerkwork_http_request_seconds_count\{route="(.+)",status="2xx"\} ')
# What the document says of a service that waits, or whose Kafka is away, is no fault of it.
CONFIGURATION: Final = """\
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503, 504]
"""


async def _ask(url: str, directory: Path, *options: str) -> None:
    (directory / "schemathesis.toml").write_text(CONFIGURATION, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"),
        *(f"{url}/v1/openapi.json", f"--seed={SEED}", "--generation-deterministic"),
        *("--max-examples=5", f"--checks={','.join(CHECKS)}"),
        *("--phases=examples,coverage,fuzzing", "--no-color", "--warnings=off", "--workers=1"),
        *("--continue-on-failure", "--no-shrink", "--request-timeout=10", *options),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()[-8000:]


async def _reached(http: ClientSession, url: str) -> set[str]:
    """Return the routes that have been answered well at least once."""
    async with http.get(f"{url}/metrics") as response:
        return set(_WELL.findall(await response.text()))


def _routes(service: str, *, signed_in: bool) -> set[str]:
    """Return the routes that this caller can be answered well at."""
    return {
        path
        for path, methods in DOCUMENTS[service]["paths"].items()
        if any(signed_in or not operation["security"] for operation in methods.values())
    }


@pytest.mark.parametrize("by", [WHO, None], ids=["signed in", "anonymous"])
async def test_the_api_answers_as_documented(
    serve: Serve,
    sign: Sign,
    database_url: str,
    outbox: Outbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: str | None,
) -> None:
    """Every operation, with what it takes and with what it does not, by somebody and by nobody."""
    # Who asks for a version of the far future is told at once that it is not here.
    monkeypatch.setattr(Wish.__new__, "__defaults__", (0, False))
    monkeypatch.setattr("api.wait.MAX_WAIT_S", 0)
    await insert_examples(outbox)
    token = sign(WHO, exp=int(time.time()) + 600)
    headers = [f"--header=Authorization: Bearer {token}"] if by else []
    async with serve(database_url) as client, ClientSession() as http:
        url = str(client.http.make_url("")).rstrip("/")
        await _ask(url, tmp_path, *headers)

        assert await _reached(http, url) >= _routes("api", signed_in=by is not None)


@asynccontextmanager
async def _ingest(monkeypatch: pytest.MonkeyPatch, **settings: str) -> AsyncIterator[str]:
    for name, value in ingest_environment(**settings).items():
        monkeypatch.setenv(name, value)
    read = IngestSettings()
    app = build_app(read)
    undocumented = watch(app, "ingest")
    async with Server(app, read) as server:
        yield str(server.make_url("")).rstrip("/")
    assert undocumented == []


async def test_ingest_answers_as_documented(
    bootstrap_servers: str,
    public_pem: str,
    sign: Sign,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever posts what Clerk did not sign learns which header it is about; commands come in."""
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "CLERK_JWT_KEY": public_pem,
        "INGEST_FORGERIES_PER_MINUTE": "1000000",
        "INGEST_RATE_LIMITS": "off",
    }
    token = sign(WHO, exp=int(time.time()) + 600)
    async with _ingest(monkeypatch, **settings) as url, ClientSession() as http:
        await _ask(url, tmp_path, f"--header=Authorization: Bearer {token}")

        # Only Clerk can sign a webhook.
        assert await _reached(http, url) >= _routes("ingest", signed_in=True) - {PATH}
