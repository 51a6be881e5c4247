"""Ingest over HTTP, with a real Kafka behind it: every row of the table of answers."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingest.app import build_app
from ingest.receive import MAX_BODY_BYTES
from ingest.settings import IngestSettings
from schema.kafka.changes import CANARY_PREFIX
from schema.kafka.headers import read_headers
from tests.documenting import watch
from tests.factories import (
    CREATED_MS,
    SECRET,
    ingest_environment,
    make_body,
    new_event_id,
    new_user_id,
    sign,
    user_event,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Client = TestClient[web.Request, web.Application]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]

OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


@pytest.fixture
async def client(bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client of an ingest that two secrets open."""
    environment = ingest_environment(
        KAFKA_BOOTSTRAP_SERVERS=bootstrap_servers,
        CLERK_WEBHOOK_SIGNING_SECRET=f"{SECRET},{OTHER_SECRET}",
        INGEST_FORGERIES_PER_MINUTE="50",
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = build_app(IngestSettings())
    undocumented = watch(app, "ingest")
    async with TestClient(TestServer(app)) as client:
        await until(lambda: _status(client, "/readyz"), lambda status: status == 200)
        yield client
    assert undocumented == []


async def _status(client: Client, path: str) -> int:
    async with client.get(path) as response:
        return response.status


async def _post(
    client: Client, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, Any], Any]:
    async with client.post("/webhooks/clerk", data=body, headers=headers) as response:
        return response.status, await response.json(), response.headers


async def test_an_accepted_webhook_is_in_kafka(client: Client, read_topic: ReadTopic) -> None:
    """202 says where the record is: there it is, keyed by the user, byte for byte."""
    user_id, event_id = new_user_id(), new_event_id()
    body = user_event(user_id, at=0)
    status, answer, headers = await _post(client, body, sign(body, event_id=event_id))
    [record] = [r for r in await read_topic("clerk.user-events") if r.key == user_id.encode()]

    assert status == 202
    assert answer == {
        "status": "accepted",
        "id": event_id,
        "topic": "clerk.user-events",
        "partition": record.partition,
        "offset": record.offset,
        "user_id": user_id,
        "version": CREATED_MS,
    }
    assert record.value == body
    assert read_headers(record.headers)["ce_id"] == event_id
    assert read_headers(record.headers)["x-request-id"] == headers["X-Request-ID"]


async def test_duplicates_and_unknown_types_are_accepted(client: Client) -> None:
    """Whether an event is news is not the door's business."""
    body = make_body("user.created", id=new_user_id()).replace(b"user.created", b"user.invented")
    headers = sign(body)

    assert [(await _post(client, body, headers))[0] for _ in range(2)] == [202, 202]


async def test_both_secrets_of_a_rotation_open(client: Client) -> None:
    """No webhook is lost while one secret replaces another."""
    body = user_event(new_user_id(), at=0)
    answers = [
        await _post(client, body, sign(body, secret=secret)) for secret in (SECRET, OTHER_SECRET)
    ]

    assert [status for status, _, _ in answers] == [202, 202]


async def test_the_unreadable_is_quarantined(client: Client, read_topic: ReadTopic) -> None:
    """What Clerk signed is kept byte for byte also where we cannot read it."""
    body = f'{{"type": "user.created", "data": "{new_event_id()}"'.encode()
    status, answer, _ = await _post(client, body, sign(body))
    [record] = [r for r in await read_topic("clerk.unreadable.dlq") if r.value == body]

    assert (status, answer["status"]) == (202, "quarantined")
    assert read_headers(record.headers)["x-error-code"] == "UNREADABLE_EVENT"


@pytest.mark.parametrize(
    ("damage", "status", "code"),
    [
        ({"svix-id": None}, 400, "MISSING_HEADER"),
        ({"svix-timestamp": None}, 400, "MISSING_HEADER"),
        ({"svix-signature": None}, 400, "MISSING_HEADER"),
        ({"svix-signature": "garbage"}, 400, "MALFORMED_SIGNATURE"),
        ({"svix-timestamp": "soon"}, 400, "MALFORMED_SIGNATURE"),
        ({"svix-signature": "v1,AAAA"}, 401, "INVALID_SIGNATURE"),
        ({"svix-id": "msg_other"}, 401, "INVALID_SIGNATURE"),
        ({"svix-timestamp": "1600000000"}, 401, "STALE_TIMESTAMP"),
        ({"content-type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
async def test_a_bad_delivery_is_turned_away(
    client: Client, damage: dict[str, str | None], status: int, code: str
) -> None:
    """Each way to be wrong has its status and its code, in the envelope."""
    body = user_event(new_user_id(), at=0)
    headers = {k: v for k, v in (sign(body) | damage).items() if v is not None}
    found, answer, sent = await _post(client, body, headers)

    assert (found, answer["error"]["code"]) == (status, code)
    assert answer["error"]["requestId"] == sent["X-Request-ID"]


async def test_a_body_that_is_not_text_is_turned_away(client: Client) -> None:
    """Svix could not have signed it."""
    status, answer, _ = await _post(client, b"\xff\xfe", sign(b"{}"))

    assert (status, answer["error"]["code"]) == (400, "INVALID_PAYLOAD")


async def test_the_largest_body_is_accepted_and_no_larger_one(client: Client) -> None:
    """512 KiB get in; one byte more is refused, announced or not."""
    event = make_body("user.created", id=new_user_id(), padding="")
    largest = event.replace(
        b'"padding": ""', b'"padding": "' + b"x" * (MAX_BODY_BYTES - len(event)) + b'"'
    )
    too_large = largest + b" "

    assert (await _post(client, largest, sign(largest)))[0] == 202
    status, answer, _ = await _post(client, too_large, sign(too_large))
    assert (status, answer["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_flood_of_forgeries_is_throttled(client: Client) -> None:
    """After the configured number a source is told to come back later, unverified."""
    body = user_event(new_user_id(), at=0)
    headers = sign(body) | {"svix-signature": "v1,AAAA"}
    statuses = [(await _post(client, body, headers))[0] for _ in range(50)]
    # At once: now and then one of those that are held off is looked at all the same.
    answers = await asyncio.gather(*(_post(client, body, headers) for _ in range(10)))
    held_off = [
        (answer["error"]["code"], sent) for status, answer, sent in answers if status == 429
    ]

    assert statuses == [401] * 50
    assert held_off
    assert {code for code, _ in held_off} == {"RATE_LIMITED"}
    assert int(held_off[0][1]["Retry-After"]) > 0


async def test_a_flood_of_forgeries_does_not_keep_clerk_out(client: Client) -> None:
    """Also where both have one address and Clerk has not been heard before."""
    body = user_event(new_user_id(), at=0)
    forged = sign(body) | {"svix-signature": "v1,AAAA"}
    await asyncio.gather(*(_post(client, body, forged) for _ in range(60)))

    async def deliver() -> int:
        return (await _post(client, body, sign(body)))[0]

    assert await until(deliver, lambda status: status == 202) == 202
    assert [(await _post(client, body, forged))[0] for _ in range(3)] == [401] * 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/webhooks/clerk", 405), ("GET", "/nowhere", 404), ("POST", "/readyz", 405)],
)
async def test_what_is_not_there_is_told_in_the_envelope(
    client: Client, method: str, path: str, status: int
) -> None:
    """Aiohttp's own errors have the same shape as ours."""
    async with client.request(method, path) as response:
        answer = await response.json()

    assert response.status == status
    assert answer["error"]["code"] in {"NOT_FOUND", "METHOD_NOT_ALLOWED"}


async def test_every_answer_is_counted(client: Client) -> None:
    """The metrics know each kind of answer, from the first scrape on."""
    body = user_event(new_user_id(), at=0)
    await _post(client, body, sign(body))
    await _post(client, body, {})
    async with client.get("/metrics") as response:
        text = await response.text()
    last = re.search(r"^clerkwork_webhook_last_timestamp_seconds (\S+)$", text, re.MULTILINE)

    assert last
    assert time.time() - float(last[1]) < 30
    assert 'clerkwork_webhooks_total{answer="accepted"} 1.0' in text
    assert 'clerkwork_webhooks_total{answer="unsupported_media_type"} 1.0' in text
    assert 'clerkwork_webhooks_total{answer="broker_unavailable"} 0.0' in text


async def test_a_canary_is_no_sign_that_clerk_delivers(client: Client) -> None:
    """Where a canary flies, that Clerk has gone silent is seen all the same."""
    body = user_event(f"{CANARY_PREFIX}-test-0", at=0)
    status, *_ = await _post(client, body, sign(body))

    assert status == 202
    async with client.get("/metrics") as metrics:
        assert "\nclerkwork_webhook_last_timestamp_seconds 0.0\n" in await metrics.text()


async def test_without_kafka_nothing_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No acknowledgement, no 2xx: 503 with Retry-After, at once, and not ready."""
    for name, value in ingest_environment().items():
        monkeypatch.setenv(name, value)
    async with TestClient(TestServer(build_app(IngestSettings()))) as client:
        body = user_event(new_user_id(), at=0)
        started = time.monotonic()
        status, answer, headers = await _post(client, body, sign(body))
        ready = await _status(client, "/readyz")
        live = await _status(client, "/livez")

    assert (status, answer["error"]["code"]) == (503, "BROKER_UNAVAILABLE")
    assert int(headers["Retry-After"]) > 0
    assert time.monotonic() - started < 12  # Svix waits 15 s
    assert (ready, live) == (503, 200)


async def test_a_sender_that_hangs_is_let_go(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that never ends arriving does not hold a connection for ever."""
    monkeypatch.setattr("ingest.read.BODY_TIMEOUT_S", 0.1)

    async def slowly() -> AsyncIterator[bytes]:
        yield json.dumps({"type": "user.created"}).encode()
        await asyncio.sleep(2)

    headers = sign(b"{}") | {"content-type": "application/json"}
    try:
        async with client.post("/webhooks/clerk", data=slowly(), headers=headers) as response:
            assert response.status == 408
    except aiohttp.ClientConnectionError:
        pass  # the server hung up first: just as well
