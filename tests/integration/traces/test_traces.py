"""One trace from the request to the change topic, and nothing personal in any of it."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from rich.console import Console

from deploy.tokens import mint_token
from deploy.trace import run_trace
from schema.kafka.headers import read_headers
from schema.ops.tracing.parents import find_trace_id, read_parent
from tests.changes import read_changes
from tests.factories import new_event_id, new_user_id, sign, user_event
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from aiokafka import ConsumerRecord

    from tests.changes import Seen
    from tests.collector import Collector, Exported
    from tests.integration.traces.conftest import Cast

    ReadTopic = Callable[[str], Awaitable[list[ConsumerRecord[Any, Any]]]]

PERSONAL = {
    *("email_address", "identifier", "first_name", "last_name", "username", "phone_number"),
    *("ip_address", "subject", "body", "body_plain", "message", "image_url", "city"),
    *("to_email_address", "to_phone_number"),
}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession() as session:
        yield session


def _new_parent(flags: str = "01") -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}"


async def _post(
    http: aiohttp.ClientSession, ingest: str, body: bytes, *, event_id: str, parent: str
) -> None:
    headers = sign(body, event_id=event_id) | {"traceparent": parent}
    async with http.post(f"{ingest}/webhooks/clerk", data=body, headers=headers) as answer:
        assert answer.status == 202


def _find_personal(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name in PERSONAL and isinstance(each, str) and len(each) > 2:
                yield each
            yield from _find_personal(each)
    elif isinstance(value, list):
        for each in value:
            yield from _find_personal(each)


async def test_one_trace_leads_from_the_request_to_the_change_topic(
    cast: Cast,
    collector: Collector,
    http: aiohttp.ClientSession,
    bootstrap_servers: str,
    sample: dict[str, bytes],
) -> None:
    """Ingest, worker, relay and API are in it; of what was sent, not one byte is exported."""
    ours = collector.environment
    ingest, api, *_ = await asyncio.gather(
        *(cast.start(name, **ours) for name in ("ingest", "api", "workers", "workers.relay"))
    )
    parent, user, event_id = _new_parent(), new_user_id(), new_event_id()
    trace_id = find_trace_id(parent)
    # Whatever there is goes the same way, and is searched for in what is exported.
    for body in sample.values():
        await _post(http, ingest, body, event_id=new_event_id(), parent=_new_parent())
    await _post(http, ingest, user_event(user, at=1), event_id=event_id, parent=parent)

    async def look() -> list[Seen]:
        return [each for each in await read_changes(bootstrap_servers) if each.key == user]

    told = await until(look, bool)
    assert find_trace_id(told[0].headers["traceparent"]) == trace_id

    question = _new_parent()
    token = mint_token(cast.private_key, user_id=user, minutes=5)
    headers = {"Authorization": f"Bearer {token}", "traceparent": question}
    async with http.get(f"{api}/v1/users/{user}", headers=headers) as answer:
        assert answer.status == 200, await answer.text()

    spans = await until(lambda: collector.trace(trace_id), lambda found: len(found) >= 4)
    by_name = {span.name: span for span in spans}
    assert _chain(by_name, told[0].headers["traceparent"], upto=parent) == [
        ("clerkwork-relay", "publish user.changes"),
        ("clerkwork-worker", "process clerk.user-events"),
        ("clerkwork-ingest", "publish clerk.user-events"),
        ("clerkwork-ingest", "POST /webhooks/clerk"),
    ]
    assert by_name["publish clerk.user-events"].attributes["clerkwork.event_id"] == event_id
    assert by_name["process clerk.user-events"].attributes["clerkwork.outcome"] == "applied"
    assert by_name["POST /webhooks/clerk"].attributes["http.response.status_code"] == 202

    asked = await until(
        lambda: collector.trace(find_trace_id(question)), lambda found: len(found) >= 2
    )
    assert "GET /v1/users/{id}" in {span.name for span in asked}
    assert {span.attributes.get("db.system.name") for span in asked} == {None, "postgresql"}

    everything = await until(collector.spans, lambda found: _linked(found, trace_id))
    assert not any(span.failed for span in everything if span.trace_id == trace_id)
    assert {span.name for span in everything} >= {"process batch", "apply", "publish changes"}
    assert f'"traceId":"{trace_id}"' in cast.lines("ingest").replace(" ", "")

    exported = b"".join(collector.bodies)
    personal = {each for body in sample.values() for each in _find_personal(json.loads(body))}
    assert len(personal) > 20
    assert {each for each in personal if each.encode() in exported} == set()
    assert token.encode() not in exported
    assert user.encode() not in exported


def _chain(by_name: dict[str, Exported], tip: str, *, upto: str) -> list[tuple[str, str]]:
    """Return services and names from what a `traceparent` names up to what it all began with."""
    by_id = {span.span_id: span for span in by_name.values()}
    found, span_id = [], tip.split("-")[2]
    while span_id != upto.split("-")[2]:
        found.append((by_id[span_id].service, by_id[span_id].name))
        span_id = by_id[span_id].parent_id
    return found


def _linked(spans: list[Exported], trace_id: str) -> bool:
    batches = {span.name for span in spans if trace_id in span.linked}
    return batches >= {"process batch", "publish changes"}


async def test_a_dead_letter_and_the_console_know_the_trace(
    cast: Cast,
    collector: Collector,
    http: aiohttp.ClientSession,
    read_topic: ReadTopic,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who looks for an event that died finds its trace: on the letter, in the log, by svix-id."""
    ingest, _ = await asyncio.gather(
        *(cast.start(name, **collector.environment) for name in ("ingest", "workers"))
    )
    parent, event_id = _new_parent(), new_event_id()
    trace_id = find_trace_id(parent)
    poison = user_event(new_user_id(), at=1, first_name="Ada\x00")
    await _post(http, ingest, poison, event_id=event_id, parent=parent)

    async def look() -> list[str | None]:
        letters = await read_topic("clerk.user-events.dlq")
        return [read_parent(each.headers) for each in letters if _is(event_id, each.headers)]

    (letter,) = await until(look, bool)
    assert letter
    assert find_trace_id(letter) == trace_id
    spans = await until(lambda: collector.trace(trace_id), lambda found: len(found) >= 3)
    (processed,) = (span for span in spans if span.name == "process clerk.user-events")
    assert processed.failed
    assert processed.attributes["error.type"] == "poison.decode"
    (line,) = (line for line in cast.lines("workers").splitlines() if "event_dead" in line)
    assert json.loads(line)["context"]["traceId"] == trace_id

    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.setenv(name, cast.environment[name])
    console = Console(file=io.StringIO(), width=200)
    assert await asyncio.to_thread(run_trace, event_id, as_json=False, console=console) == 0
    assert f"trace {trace_id}\n" in console.file.getvalue()  # type: ignore[attr-defined]  # StringIO


def _is(event_id: str, headers: Iterable[tuple[str, bytes | None]]) -> bool:
    return read_headers(headers).get("ce_id") == event_id


async def test_a_trace_that_nobody_keeps_goes_on_all_the_same(
    cast: Cast,
    collector: Collector,
    http: aiohttp.ClientSession,
    bootstrap_servers: str,
) -> None:
    """Sampling is decided where a trace begins: no spans, the same id."""
    ingest, *_ = await asyncio.gather(
        *(cast.start(n, **collector.environment) for n in ("ingest", "workers", "workers.relay"))
    )
    parent, user = _new_parent("00"), new_user_id()
    await _post(http, ingest, user_event(user, at=1), event_id=new_event_id(), parent=parent)

    async def look() -> list[Seen]:
        return [each for each in await read_changes(bootstrap_servers) if each.key == user]

    told = await until(look, bool)
    header = told[0].headers["traceparent"]
    assert (find_trace_id(header), header[-2:]) == (find_trace_id(parent), "00")
    await until(collector.spans, lambda found: any(s.name == "publish changes" for s in found))
    assert await collector.trace(find_trace_id(parent)) == []


async def test_a_collector_that_never_answers_keeps_nobody_waiting(
    cast: Cast, http: aiohttp.ClientSession
) -> None:
    """The queue is bounded, what does not fit is dropped, and the process ends in time."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ingest = await cast.start(
        "ingest",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_BSP_SCHEDULE_DELAY="10",
        OTEL_BSP_MAX_QUEUE_SIZE="32",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="16",
    )
    slowest = 0.0
    for number in range(100):
        body = user_event(new_user_id(), at=number)
        began = time.monotonic()
        await _post(http, ingest, body, event_id=new_event_id(), parent=_new_parent())
        slowest = max(slowest, time.monotonic() - began)
    assert held
    assert slowest < 2.0
    assert "Queue full" in cast.lines("ingest")

    began = time.monotonic()
    await asyncio.to_thread(cast.started[0].stop)
    assert time.monotonic() - began < 8.0
    for writer in held:
        writer.close()
    server.close()
    await server.wait_closed()
