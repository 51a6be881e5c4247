"""Commands over HTTP, with a real Kafka behind the door: what is kept, and how it is answered."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import unused_port
from structlog.testing import capture_logs
from yarl import URL

from deploy.tokens import mint_token, new_private_key
from schema.http.tokens.callers import Authenticator
from schema.http.tokens.claims import Caller
from schema.kafka.headers import read_headers
from schema.postgres.ids import derive_id, derive_post_id
from tests.factories import new_user_id, sign, user_event
from tests.links import forwarding
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiokafka import ConsumerRecord

    from tests.integration.ingest.conftest import Door, ReadTopic, Serve

TOPIC = "app.user-commands"
ADA = "user_ada"
ADAS_POST = derive_post_id(ADA, "cmd_1")
BOBS_POST = derive_post_id("user_bob", "cmd_1")
RANDOM_ID = "67076df5-9e59-4713-8105-de8a4a7b2111"  # version 4: derived from nobody
POST = {"title": "A day", "body": "It rained.", "status": "published"}
PREFERENCES = {
    "theme": "dark",
    "notifications": True,
    "language": "pt-BR",
    "timezone": "Europe/Lisbon",
}


async def commands_of(read_topic: ReadTopic, clerk_id: str) -> list[ConsumerRecord[Any, Any]]:
    """Return the user's commands in Kafka, in their order."""
    return [each for each in await read_topic(TOPIC) if each.key == clerk_id.encode()]


def value_of(record: ConsumerRecord[Any, Any]) -> dict[str, Any]:
    """Return what the record carries."""
    assert record.value
    return json.loads(record.value)


async def test_a_post_is_in_kafka_before_it_is_answered(door: Door, read_topic: ReadTopic) -> None:
    """202 tells its ids: of the post, of the command, and where to ask."""
    user = new_user_id()
    before = int(time.time() * 1000)
    reply = await door.ask("POST", "/v1/posts", by=user, json=POST)
    [record] = await commands_of(read_topic, user)

    event_id, version = reply.body["event_id"], reply.body["version"]
    post_id = str(derive_post_id(user, event_id))
    assert reply.status == 202
    assert reply.body == {
        "id": post_id,
        "event_id": event_id,
        "status_url": f"/v1/events/{event_id}",
        "version": version,
    }
    assert before <= version <= int(time.time() * 1000)
    assert value_of(record) == {
        "type": "clerkwork.post.create",
        "timestamp": version,
        "data": {"id": post_id, "user_id": user, **POST},
    }
    headers = dict(read_headers(record.headers))
    assert headers.pop("ce_time").endswith(f".{version % 1000:03}Z")
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": "clerkwork.post.create",
        "ce_source": "clerkwork/commands",
        "ce_subject": user,
        "content-type": "application/json",
        "x-request-id": reply.headers["X-Request-ID"],
    }


async def test_every_command_carries_what_was_asked_for(door: Door, read_topic: ReadTopic) -> None:
    """No field that was not given, each under the same key, in one order."""
    user = new_user_id()
    post = str(derive_post_id(user, "cmd_1"))
    data = "/v1/me/data/preferences"
    replies = [
        await door.ask("PATCH", f"/v1/posts/{post}", by=user, json={"status": "draft"}),
        await door.ask("PATCH", f"/v1/posts/{post.upper()}", by=user, json={"body": ""}),
        await door.ask("DELETE", f"/v1/posts/{post}", by=user),
        await door.ask("PUT", data, by=user, json=PREFERENCES),
        await door.ask("DELETE", data, by=user),
    ]
    records = await commands_of(read_topic, user)
    values = [value_of(each) for each in records]

    assert [each.status for each in replies] == [202] * 5
    assert [each.body["id"] for each in replies] == [post] * 3 + ["preferences"] * 2
    assert [(each["type"], each["data"]) for each in values] == [
        ("clerkwork.post.change", {"id": post, "user_id": user, "status": "draft"}),
        ("clerkwork.post.change", {"id": post, "user_id": user, "body": ""}),
        ("clerkwork.post.delete", {"id": post, "user_id": user}),
        (
            "clerkwork.user_data.put",
            {"user_id": user, "key": "preferences", "value": PREFERENCES},
        ),
        ("clerkwork.user_data.delete", {"user_id": user, "key": "preferences"}),
    ]
    assert [each["timestamp"] for each in values] == [each.body["version"] for each in replies]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("preferences", PREFERENCES),
        ("feature_flags", {}),
        ("feature_flags", {"new-editor": True, "beta": False}),
        (
            "onboarding_status",
            {"step": "profile", "completed": False, "started_at": "2026-01-31T12:00:00.000Z"},
        ),
    ],
)
async def test_data_is_taken_as_its_key_has_it(
    door: Door, read_topic: ReadTopic, key: str, value: dict[str, Any]
) -> None:
    """What was sent is what is carried."""
    user = new_user_id()
    reply = await door.ask("PUT", f"/v1/me/data/{key}", by=user, json=value)
    [record] = await commands_of(read_topic, user)

    assert (reply.status, reply.body["id"]) == (202, key)
    assert value_of(record)["data"]["value"] == value


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code", "field"),
    [
        # What is asked for.
        ("PATCH", "/v1/posts/7", {"json": POST}, 400, "INVALID_ID", "id"),
        ("DELETE", f"/v1/posts/{ADA}", {}, 400, "INVALID_ID", "id"),
        ("DELETE", f"/v1/posts/%7B{ADAS_POST}%7D", {}, 400, "INVALID_ID", "id"),
        ("DELETE", "/v1/posts/%FF%00", {}, 400, "INVALID_ID", "id"),
        ("PATCH", f"/v1/posts/{BOBS_POST}", {"json": POST}, 403, "NOT_THE_AUTHOR", None),
        ("DELETE", f"/v1/posts/{BOBS_POST}", {}, 403, "NOT_THE_AUTHOR", None),
        ("DELETE", f"/v1/posts/{RANDOM_ID}", {}, 403, "NOT_THE_AUTHOR", None),
        ("DELETE", f"/v1/posts/{derive_id(ADA)}", {}, 403, "NOT_THE_AUTHOR", None),
        ("PUT", "/v1/me/data/email", {"json": {}}, 404, "UNKNOWN_DATA_KEY", "key"),
        ("DELETE", "/v1/me/data/Preferences", {}, 404, "UNKNOWN_DATA_KEY", "key"),
        ("PUT", "/v1/me/data/session_count", {"json": 7}, 403, "DATA_KEY_READ_ONLY", "key"),
        ("DELETE", "/v1/me/data/login_history", {}, 403, "DATA_KEY_READ_ONLY", "key"),
        ("POST", "/v1/posts?draft=1", {"json": POST}, 400, "UNKNOWN_PARAMETER", "draft"),
        ("GET", "/v1/posts", {}, 405, "METHOD_NOT_ALLOWED", None),
        ("POST", f"/v1/posts/{ADAS_POST}", {"json": POST}, 405, "METHOD_NOT_ALLOWED", None),
        ("PATCH", "/v1/me/data/preferences", {"json": {}}, 405, "METHOD_NOT_ALLOWED", None),
        ("PUT", "/v1/me/data/", {"json": {}}, 404, "NOT_FOUND", None),
        # What is sent.
        ("POST", "/v1/posts", {"data": "title=x"}, 415, "UNSUPPORTED_MEDIA_TYPE", None),
        ("POST", "/v1/posts", {}, 415, "UNSUPPORTED_MEDIA_TYPE", None),
        ("POST", "/v1/posts", {"json": {**POST, "id": 1}}, 400, "INVALID_BODY", "id"),
        ("POST", "/v1/posts", {"json": {**POST, "title": ""}}, 400, "INVALID_BODY", "title"),
        ("POST", "/v1/posts", {"json": {**POST, "body": "\ud800"}}, 400, "INVALID_BODY", "body"),
        ("PATCH", f"/v1/posts/{ADAS_POST}", {"json": {}}, 400, "INVALID_BODY", "$"),
        ("PUT", "/v1/me/data/preferences", {"json": {}}, 400, "INVALID_BODY", "theme"),
        ("PUT", "/v1/me/data/feature_flags", {"json": 7}, 400, "INVALID_BODY", "$"),
        ("POST", "/v1/posts", {"json": "x" * 262_143}, 413, "PAYLOAD_TOO_LARGE", None),
        ("POST", "/v1/posts", {"json": "x" * 262_142}, 400, "INVALID_BODY", "$"),
        ("PUT", "/v1/me/data/preferences", {"json": "x" * 65_535}, 413, "PAYLOAD_TOO_LARGE", None),
        ("PUT", "/v1/me/data/preferences", {"json": "x" * 65_534}, 400, "INVALID_BODY", "$"),
        # How it may be repeated.
        ("POST", "/v1/posts", {"json": POST, "key": ""}, 400, "INVALID_IDEMPOTENCY_KEY", ...),
        ("DELETE", f"/v1/posts/{ADAS_POST}", {"key": "é"}, 400, "INVALID_IDEMPOTENCY_KEY", ...),
    ],
)
async def test_what_cannot_be_a_command_is_turned_away(
    door: Door,
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
    code: str,
    field: object,
) -> None:
    """Each way to be wrong has its status and its code, and names the field."""
    expected = "Idempotency-Key" if field is ... else field
    reply = await door.ask(method, URL(path, encoded=True), by=ADA, **sent)

    assert (reply.status, reply.code, reply.details.get("field")) == (status, code, expected)
    assert reply.body["error"]["requestId"] == reply.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(gzip.compress(json.dumps(POST).encode()), None, id="a good one"),
        pytest.param(gzip.compress(b" " * 10_000_000), "PAYLOAD_TOO_LARGE", id="a bomb"),
        pytest.param(b"hello", "BAD_REQUEST", id="not packed"),
        pytest.param(gzip.compress(b"{}")[:10], "INVALID_BODY", id="cut"),
    ],
)
async def test_a_packed_body_is_unpacked_within_bounds(
    door: Door, data: bytes, code: str | None
) -> None:
    """What it was before it was packed is what counts; what cannot be unpacked is no 500."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    reply = await door.ask("POST", "/v1/posts", by=ADA, data=data, headers=headers)

    assert (reply.code if code else reply.status) == (code or 202)


async def test_a_length_that_is_too_large_is_not_waited_for(door: Door) -> None:
    """The answer is there before the body."""
    reader, writer = await _begin(door, announced=10**12)
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.close()

    assert line.startswith(b"HTTP/1.1 413 ")


async def test_who_goes_away_is_no_failure_of_ours(door: Door) -> None:
    """A connection that ends amid the body is counted as such, not logged as unexpected."""
    with capture_logs() as lines:
        _, writer = await _begin(door, announced=50)
        writer.close()
        await until(_value(lines), bool)

    told = [(each["event"], each.get("code"), each["log_level"]) for each in lines]
    assert told[0] == ("command_rejected", "REQUEST_TIMEOUT", "info")
    assert all(event == "request_served" for event, *_ in told[1:])


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_body_of_unknown_length_is_bounded_too(door: Door, size: int) -> None:
    """Who does not announce their length is cut off at the same byte."""

    async def pieces() -> Any:
        for _ in range(0, size, 10):
            yield b"          "

    reply = await door.ask(
        "POST", "/v1/posts", by=ADA, data=pieces(), headers={"Content-Type": "application/json"}
    )

    assert reply.code == ("INVALID_BODY" if size == 10 else "PAYLOAD_TOO_LARGE")


async def test_only_who_is_signed_in_gives_commands(door: Door) -> None:
    """By header or by cookie; before anything else is looked at."""
    cookie = {"Cookie": f"__session={door.token(ADA)}"}
    others = mint_token(new_private_key(), user_id=ADA, minutes=1)
    nobody = await door.ask("PATCH", "/v1/posts/7", data=b"\xff")
    forged = await door.ask(
        "POST", "/v1/posts", headers={"Authorization": f"Bearer {others}"}, json=POST
    )
    by_cookie = await door.ask("POST", "/v1/posts", headers=cookie, json=POST)

    assert (nobody.status, nobody.code) == (401, "UNAUTHENTICATED")
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    assert (forged.status, forged.details) == (401, {"reason": "bad_signature"})
    assert by_cookie.status == 202


async def test_machines_give_no_commands(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever their token lets them see, they have neither posts nor data."""

    async def machine(*_: object) -> Caller:
        return Caller(clerk_id="mch_1", user_id=derive_id("mch_1"), expires_at=2**40)

    monkeypatch.setattr(Authenticator, "authenticate", machine)
    async with serve() as door:
        reply = await door.ask("POST", "/v1/posts", json=POST)

    assert (reply.status, reply.code) == (403, "USERS_ONLY")


async def test_a_repeat_is_one_command(door: Door, read_topic: ReadTopic) -> None:
    """With the key, quoted or not, and whatever order the fields come in."""
    user = new_user_id()
    turned = dict(reversed(POST.items()))
    first = await door.ask("POST", "/v1/posts", by=user, key="abc", json=POST)
    again = await door.ask("POST", "/v1/posts", by=user, key='"abc"', json=turned)
    other = await door.ask("POST", "/v1/posts", by=user, key="abd", json=POST)
    records = await commands_of(read_topic, user)

    assert (first.status, again.status, other.status) == (202, 202, 202)
    assert again.body == first.body
    assert other.body["id"] != first.body["id"]
    assert [read_headers(each.headers)["ce_id"] for each in records] == [
        first.body["event_id"],
        other.body["event_id"],
    ]


async def test_a_key_is_not_for_two_commands(door: Door, read_topic: ReadTopic) -> None:
    """Another body is refused; another user's key, and another route's, are others."""
    ada, bob = new_user_id(), new_user_id()
    first = await door.ask("POST", "/v1/posts", by=ada, key="abc", json=POST)
    reused = await door.ask("POST", "/v1/posts", by=ada, key="abc", json={**POST, "title": "B"})
    bobs = await door.ask("POST", "/v1/posts", by=bob, key="abc", json={**POST, "title": "B"})
    gone = await door.ask("DELETE", f"/v1/posts/{first.body['id']}", by=ada, key="abc")

    assert (reused.status, reused.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (bobs.status, gone.status) == (202, 202)
    assert len(await commands_of(read_topic, ada)) == 2


async def test_repeats_at_once_are_one_command(door: Door, read_topic: ReadTopic) -> None:
    """Impatient clients send again before the first answer: they all get it."""
    user = new_user_id()
    replies = await asyncio.gather(
        *(door.ask("POST", "/v1/posts", by=user, key="abc", json=POST) for _ in range(30))
    )

    assert {each.status for each in replies} == {202}
    assert len({json.dumps(each.body) for each in replies}) == 1
    assert len(await commands_of(read_topic, user)) == 1


async def test_commands_at_once_are_many(door: Door, read_topic: ReadTopic) -> None:
    """Without keys no two are the same, and none has the time of another."""
    user = new_user_id()
    replies = await asyncio.gather(
        *(door.ask("POST", "/v1/posts", by=user, json=POST) for _ in range(100))
    )

    for name in ("id", "event_id", "version"):
        assert len({each.body[name] for each in replies}) == 100
    assert len(await commands_of(read_topic, user)) == 100


async def test_another_ingest_makes_the_same_ids(
    serve: Serve, bootstrap_servers: str, read_topic: ReadTopic
) -> None:
    """Where nothing is remembered, the repeat is in Kafka twice: as one command, for one post."""
    user = new_user_id()
    replies = []
    for _ in range(2):
        async with serve(KAFKA_BOOTSTRAP_SERVERS=bootstrap_servers) as door:
            await door.until_ready()
            replies.append(await door.ask("POST", "/v1/posts", by=user, key="abc", json=POST))
    records = await commands_of(read_topic, user)

    assert replies[0].body["id"] == replies[1].body["id"]
    assert replies[0].body["event_id"] == replies[1].body["event_id"]
    assert len(records) == 2
    assert len({read_headers(each.headers)["ce_id"] for each in records}) == 1
    assert len({value_of(each)["data"]["id"] for each in records}) == 1


async def test_without_kafka_nothing_is_accepted_nor_remembered(
    serve: Serve, bootstrap_servers: str
) -> None:
    """503 with Retry-After, at once; the same key is free for whatever comes next."""
    port = unused_port()
    user = new_user_id()
    kafka = URL(f"kafka://{bootstrap_servers.removeprefix('PLAINTEXT://')}")
    async with serve(KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{port}") as door:
        away = await asyncio.gather(
            *(door.ask("POST", "/v1/posts", by=user, key="abc", json=POST) for _ in range(3))
        )
        async with forwarding(port, kafka):
            await door.until_ready()
            back = await door.ask(
                "POST", "/v1/posts", by=user, key="abc", json={**POST, "title": "Later"}
            )
        metrics = await door.metrics()

    assert {(each.status, each.code) for each in away} == {(503, "BROKER_UNAVAILABLE")}
    assert all(int(each.headers["Retry-After"]) > 0 for each in away)
    assert back.status == 202
    assert _series(metrics, "clerkwork.post.create", "broker_unavailable") == 3
    assert _series(metrics, "clerkwork.post.create", "repeated") == 0


async def test_without_keys_only_webhooks_are_served(serve: Serve, bootstrap_servers: str) -> None:
    """Nobody could be believed: the start says so, and the routes are not there."""
    with capture_logs() as lines:
        async with serve(
            KAFKA_BOOTSTRAP_SERVERS=bootstrap_servers, CLERK_JWT_KEY="", CLERK_ISSUER=""
        ) as door:
            await door.until_ready()
            command = await door.ask("POST", "/v1/posts", by=ADA, json=POST)
            body = user_event(new_user_id(), at=0)
            webhook = await door.ask("POST", "/webhooks/clerk", data=body, headers=sign(body))

    assert [each["event"] for each in lines].count("commands_not_served") == 1
    assert (command.status, command.code) == (404, "NOT_FOUND")
    assert webhook.status == 202


async def test_keys_that_cannot_be_fetched_stop_no_webhook(
    serve: Serve, bootstrap_servers: str
) -> None:
    """503 for commands, for the callers did nothing wrong; the rest is as always."""
    async with serve(
        KAFKA_BOOTSTRAP_SERVERS=bootstrap_servers,
        CLERK_JWT_KEY="",
        CLERK_JWKS_URL=f"http://127.0.0.1:{unused_port()}/jwks.json",
    ) as door:
        await door.until_ready()
        command = await door.ask("POST", "/v1/posts", by=ADA, json=POST)
        body = user_event(new_user_id(), at=0)
        webhook = await door.ask("POST", "/webhooks/clerk", data=body, headers=sign(body))
        ready = await door.readiness()

    assert (command.status, command.code) == (503, "KEYS_UNAVAILABLE")
    assert int(command.headers["Retry-After"]) > 0
    assert (webhook.status, ready) == (202, 200)


async def test_every_answer_is_counted_by_type(door: Door) -> None:
    """Each series is there from the first scrape on; no id and no path makes another."""
    user = new_user_id()
    before = await door.metrics()
    for _ in range(2):
        await door.ask("POST", "/v1/posts", by=user, key="abc", json=POST)
    await door.ask("DELETE", f"/v1/posts/{BOBS_POST}", by=user)
    await door.ask("DELETE", "/v1/me/data/preferences")
    after = await door.metrics()

    assert _series(before, "clerkwork.post.create", "accepted") == 0
    assert _series(after, "clerkwork.post.create", "accepted") == 1
    assert _series(after, "clerkwork.post.create", "repeated") == 1
    assert _series(after, "clerkwork.post.delete", "not_the_author") == 1
    assert _series(after, "clerkwork.user_data.delete", "unauthenticated") == 1
    names = [text.count("clerkwork_commands_total{") for text in (before, after)]
    assert names[0] == names[1]


async def test_logs_say_what_happened_and_nothing_of_what_was_written(door: Door) -> None:
    """Ids and places; no title, no text, no token, no key."""
    user, secret = new_user_id(), "hunter2"
    post = {"title": secret, "body": secret}
    with capture_logs() as lines:
        reply = await door.ask("POST", "/v1/posts", by=user, key=secret, json=post)
        await door.ask("POST", "/v1/posts", by=user, json={**post, "status": secret})

    events = {each["event"]: each for each in lines}
    stored, rejected = events["command_stored"], events["command_rejected"]
    assert (stored["type"], stored["user_id"]) == ("clerkwork.post.create", user)
    assert (stored["event_id"], stored["topic"]) == (reply.body["event_id"], TOPIC)
    assert (rejected["type"], rejected["code"]) == ("clerkwork.post.create", "INVALID_BODY")
    assert secret not in str(lines)
    assert "Bearer" not in str(lines)


async def _begin(
    door: Door, *, announced: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a command but for its body, of which only the first byte."""
    reader, writer = await asyncio.open_connection(door.http.host, door.http.port)
    writer.write(
        b"POST /v1/posts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\n" % door.token(ADA).encode()
    )
    writer.write(b"Content-Length: %d\r\n\r\n{" % announced)
    await writer.drain()
    return reader, writer


def _value(lines: list[Any]) -> Callable[[], Awaitable[list[Any]]]:
    async def look() -> list[Any]:
        return lines

    return look


def _series(metrics: str, kind: str, answer: str) -> float:
    name = f'clerkwork_commands_total{{answer="{answer}",type="{kind}"}} '
    [line] = (each for each in metrics.splitlines() if each.startswith(name))
    return float(line.removeprefix(name))
