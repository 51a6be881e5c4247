"""Another client than ours walks the document: what it is promised is what it gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import pytest
from yarl import URL

from ingest.app import build_app
from ingest.settings import IngestSettings
from tests.documenting import DOCUMENTS, find_faults, resolve
from tests.factories import ingest_environment
from tests.integration.api.examples import WHO, insert_examples
from tests.serving import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.integration.api.conftest import Client, Outbox

DOCUMENT: Final = DOCUMENTS["api"]
CONDITIONS: Final = {"If-None-Match", "Last-Event-ID", "cursor"}
"""Parameters that are about something which the caller has already."""


def _walk(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and operation of everything that only reads."""
    for path, methods in DOCUMENTS[service]["paths"].items():
        if "get" in methods:
            yield path, methods["get"]


@pytest.fixture
async def caller(client: Client, outbox: Outbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token, and all that the examples are about."""
    await insert_examples(outbox)
    token = {"Authorization": f"Bearer {client.token(WHO)}"}
    async with httpx.AsyncClient(base_url=str(client.http.make_url("")), headers=token) as caller:
        yield caller


@pytest.fixture
async def door(
    monkeypatch: pytest.MonkeyPatch, public_pem: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of ingest, whose Kafka is away."""
    for name, value in ingest_environment(CLERK_JWT_KEY=public_pem).items():
        monkeypatch.setenv(name, value)
    settings = IngestSettings()
    async with (
        Server(build_app(settings), settings) as server,
        httpx.AsyncClient(base_url=str(server.make_url(""))) as door,
    ):
        yield door


def _request(path: str, operation: dict[str, Any]) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return path, query and headers with the examples; conditions and cursors are left out."""
    query, headers = {}, {}
    for each in operation.get("parameters", ()):
        example = str(each["example"])
        if each["name"] in CONDITIONS:
            continue
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", quote(example, safe=""))
        elif each["in"] == "query":
            query[each["name"]] = example
        else:
            headers[each["name"]] = example
    return path, query, headers


def _check(response: httpx.Response, operation: dict[str, Any], service: str) -> None:
    document = DOCUMENTS[service]
    described = resolve(document, operation["responses"][str(response.status_code)])
    media = described["content"][response.headers["Content-Type"].partition(";")[0]]
    if response.headers["Content-Type"].startswith("application/json"):
        assert find_faults(response.json(), media["schema"], document) == []
    else:
        assert response.text
    for name, header in described["headers"].items():
        assert name in response.headers or not resolve(document, header).get("required")


async def test_the_api_keeps_its_word(caller: httpx.AsyncClient) -> None:
    """With the document's own examples every read is answered 200, as the schema has it."""
    for path, operation in _walk("api"):
        place, query, headers = _request(path, operation)
        response = await caller.get(place, params=query, headers=headers)

        assert (path, response.status_code) == (path, 200)
        _check(response, operation, "api")


async def test_who_has_it_already_is_told_so(caller: httpx.AsyncClient) -> None:
    """Where a 304 is documented, an ETag brings it, without a body; HEAD says the same."""
    for path, operation in _walk("api"):
        place, query, headers = _request(path, operation)
        if "304" not in operation["responses"]:
            assert "ETag" not in operation["responses"]["200"]["headers"]
            continue
        found = await caller.get(place, params=query, headers=headers)
        etag = found.headers["ETag"]
        again = await caller.get(place, params=query, headers=headers | {"If-None-Match": etag})
        head = await caller.head(place, params=query, headers=headers)

        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", etag)


async def test_without_a_token_only_the_public_is_answered(caller: httpx.AsyncClient) -> None:
    """401 exactly where the document wants a session."""
    for path, operation in _walk("api"):
        place, query, headers = _request(path, operation)
        response = await caller.get(place, params=query, headers=headers | {"Authorization": ""})

        assert (path, response.status_code) == (path, 401 if operation["security"] else 200)
        _check(response, operation, "api")


async def test_ingest_keeps_its_word(door: httpx.AsyncClient) -> None:
    """Also while Kafka is away: then it is not ready, and says so as documented."""
    for path, operation in _walk("ingest"):
        place, query, headers = _request(path, operation)
        response = await door.get(place, params=query, headers=headers)

        assert (path, response.status_code) == (path, 503 if path == "/readyz" else 200)
        _check(response, operation, "ingest")


async def test_a_stream_is_what_the_document_says(caller: httpx.AsyncClient) -> None:
    """Who accepts server-sent events gets them from the same route."""
    content = DOCUMENT["paths"]["/v1/changes"]["get"]["responses"]["200"]["content"]
    accept = {"Accept": "text/event-stream"}
    async with caller.stream("GET", "/v1/changes", headers=accept) as response:
        kind = response.headers["Content-Type"]
        lines = aiter(response.aiter_lines())
        first = await anext(lines)

    assert kind in content
    assert first.startswith("retry: ")


async def test_the_served_document_is_the_one_of_the_code(
    caller: httpx.AsyncClient, door: httpx.AsyncClient
) -> None:
    """Of each service its own, with an address relative to where it is from."""
    for client, service in ((caller, "api"), (door, "ingest")):
        served = (await client.get("/v1/openapi.json")).json()

        assert served == DOCUMENTS[service]
        assert URL(served["servers"][0]["url"]) == URL("/")
