"""The sign-in race: who is signed in before Clerk's webhook of them has come is fetched once."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest
from aiohttp.test_utils import unused_port
from pydantic import SecretStr

from api import welcome
from api.newcomers import NEWCOMERS
from deploy.stack.ports import free_port
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from schema.http.tokens.claims import READ_SCOPE
from schema.postgres.ids import derive_id
from tests.factories import inbound_headers, new_user_id
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import ClientResponse, web
    from aiokafka import AIOKafkaProducer

    from deploy.standin.told import Told
    from tests.integration.api.conftest import Client, Serve, Users

    Database = asyncpg.Connection[asyncpg.Record]

BOUND_S: Final = welcome.PATIENCE_S + 1
"""No answer takes longer; a second is for slow machines."""

PATH: Final = "/users/{id}"


@pytest.fixture(scope="module")
async def applied_url(bootstrap_servers: str, shared_database_url: str) -> AsyncIterator[str]:
    """A database to which a worker applies what is on Kafka."""
    settings = WorkerSettings(
        kafka_bootstrap_servers=bootstrap_servers,
        database_url=SecretStr(shared_database_url),
        worker_metrics_port=free_port(),
    )
    async with running_worker(settings):
        yield shared_database_url


@pytest.fixture
async def rows(applied_url: str) -> AsyncIterator[Database]:
    """A connection to it."""
    connection = await asyncpg.connect(applied_url)
    yield connection
    await connection.close()


class Clerk:
    """What Clerk has, what befalls it, and for whom it was asked."""

    def __init__(self) -> None:
        self.world = World(seed=time.time_ns())
        self.trouble = Trouble()
        self.trouble.before_answer = self._note
        self.asked: list[str] = []

    def sign_up(self, **fields: Any) -> str:
        """Have a new user, of whom no webhook comes; returns the id."""
        return self.world.create_user(id=new_user_id(), first_name="Grace", **fields).id

    def _note(self, request: web.Request) -> None:
        self.asked.append(request.match_info["id"])


@pytest.fixture
def clerk() -> Clerk:
    """Clerk, without users."""
    return Clerk()


class Api:
    """The API as users meet it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def get(self, path: str, by: str) -> tuple[int, Any]:
        """Return the status and the body."""
        response = await self.client.get(path, by=by)
        return response.status, await response.json()

    async def me(self, by: str) -> tuple[int, Any]:
        """Return the status and the body of the caller's own user."""
        return await self.get("/v1/me", by)

    async def refuse(self, by: str) -> ClientResponse:
        """Return the answer of before: not here, and when to ask again."""
        async with asyncio.timeout(BOUND_S):
            response = await self.client.get("/v1/me", by=by)
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (404, "USER_NOT_FOUND")
        assert response.headers["Retry-After"] == "1"
        return response

    async def counted(self, outcome: str) -> float:
        """Return how often something came of a newcomer."""
        return await self.client.metric(f'clerkwork_newcomers_total{{outcome="{outcome}"}}')


@pytest.fixture
def open_api(serve: Serve, clerk: Clerk, bootstrap_servers: str) -> Callable[..., Any]:
    """Return a context manager that serves the API, with a key to ask Clerk with."""

    @asynccontextmanager
    async def open_api(url: str, **changes: object) -> AsyncIterator[Api]:
        async with running_stand_in(clerk.world, clerk.trouble) as clerk_url:
            settings = {
                "clerk_secret_key": LIVE_KEY,
                "clerk_api_url": clerk_url,
                "kafka_bootstrap_servers": bootstrap_servers,
            } | changes
            async with serve(url, **settings) as client:
                if settings["kafka_bootstrap_servers"] == bootstrap_servers:
                    served = "clerkwork_newcomers_served"
                    await until(lambda: client.metric(served), (1.0).__eq__)
                yield Api(client)

    return open_api


@pytest.fixture
async def api(
    open_api: Callable[..., Any], applied_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """The API beside a worker, with the patience that slow machines need."""
    monkeypatch.setattr(welcome, "PATIENCE_S", 10.0)
    async with open_api(applied_url) as api:
        yield api


async def publish(producer: AIOKafkaProducer, told: Told) -> None:
    """Have a webhook come, as ingest would publish it."""
    await producer.send_and_wait(
        "clerk.user-events",
        told.body,
        key=told.id.encode(),
        headers=[*inbound_headers(told.event_id, subject=told.id)],
    )


async def test_the_first_request_has_its_answer_in_time(
    open_api: Callable[..., Any], clerk: Clerk, applied_url: str
) -> None:
    """Within the patience that users are thought to have."""
    async with open_api(applied_url) as api:
        async with asyncio.timeout(BOUND_S):
            assert (await api.me(clerk.sign_up()))[0] == 200
        assert await api.client.metric('clerkwork_newcomer_seconds_bucket{le="2.5"}') == 1


async def test_who_signed_up_just_now_is_here(api: Api, clerk: Clerk, rows: Database) -> None:
    """By the path of every event: ledger and change topic."""
    user = clerk.sign_up(email="grace@example.com", private_metadata={"ssn": "078-05-1120"})
    status, body = await api.me(user)
    event = await rows.fetchrow("SELECT type, outcome FROM events WHERE clerk_user_id = $1", user)
    told = await rows.fetch("SELECT type FROM outbox WHERE owner = $1", user)

    assert (status, body["first_name"], body["email"]) == (200, "Grace", "grace@example.com")
    assert body["version"] == clerk.world.users[user]["updated_at"]
    assert tuple(event or ()) == ("clerkwork.snapshot.user", "applied")
    assert [each["type"] for each in told] == ["clerkwork.user.created"]
    assert (await api.me(user))[0] == 200
    assert clerk.asked == [user]
    assert await api.counted("arrived") == 1


async def test_fifty_first_requests_ask_once(api: Api, clerk: Clerk, rows: Database) -> None:
    """A page that is opened asks for many things at the same time."""
    user = clerk.sign_up()
    paths = ["/v1/me", f"/v1/users/{user}", f"/v1/users/{user}/data", "/v1/users", "/v1/posts"]
    answers = await asyncio.gather(*(api.get(path, user) for path in paths * 10))
    events = await rows.fetchval("SELECT count(*) FROM events WHERE clerk_user_id = $1", user)

    assert {status for status, _ in answers} == {200}
    assert clerk.asked == [user]
    assert events == 1


@pytest.mark.parametrize("newer", [False, True])
async def test_a_webhook_at_the_same_time_is_no_conflict(
    api: Api, clerk: Clerk, rows: Database, producer: AIOKafkaProducer, *, newer: bool
) -> None:
    """One row, of the newer of the two, whichever comes first."""
    created = clerk.world.create_user(id=new_user_id(), first_name="Grace")
    told = created
    if newer:
        told = clerk.world.update_user(created.id, first_name="Ada")
        clerk.world.users[created.id] |= {
            "first_name": "Grace",
            "updated_at": clerk.world.users[created.id]["updated_at"] - 1,
        }
    clerk.trouble.before_answer = lambda _: publish(producer, told)
    status, _ = await api.me(created.id)
    query = "SELECT count(*) FROM events WHERE clerk_user_id = $1"
    await until(lambda: rows.fetchval(query, created.id), (2).__eq__)
    _, body = await api.me(created.id)

    assert status == 200
    assert body["first_name"] == ("Ada" if newer else "Grace")


async def test_who_was_only_mentioned_is_fetched_too(
    api: Api, clerk: Clerk, rows: Database
) -> None:
    """A post or a membership of theirs came first, and left a row without anything in it."""
    user = clerk.sign_up()
    await rows.execute(
        "INSERT INTO users (id, clerk_id, status) VALUES ($1, $2, 'pending')",
        *(derive_id(user), user),
    )

    assert (await api.me(user))[0] == 200
    assert clerk.asked == [user]


async def test_who_is_banned_at_clerk_is_refused_as_always(api: Api, clerk: Clerk) -> None:
    """The standing is read again once they are here."""
    user = clerk.sign_up(banned=True)
    status, body = await api.me(user)

    assert (status, body["error"]["code"]) == (403, "USER_BANNED")


async def test_who_was_deleted_is_never_fetched(api: Api, clerk: Clerk, rows: Database) -> None:
    """Whatever Clerk has: nothing resurrects them."""
    user = clerk.sign_up()
    await rows.execute(
        """
        INSERT INTO users (id, clerk_id, status, deleted_at, deletion_event_id)
        VALUES ($1, $2, 'deleted', now(), 'msg_1')
        """,
        *(derive_id(user), user),
    )
    status, body = await api.me(user)

    assert (status, body["error"]["code"]) == (403, "USER_DELETED")
    assert clerk.asked == []


async def test_nobody_has_others_fetched(api: Api, clerk: Clerk) -> None:
    """Clerk is asked for the caller, whose token is good, and for nobody else."""
    caller, other = clerk.sign_up(), clerk.sign_up()
    for path in ("", "/posts", "/data", "/sessions", "?min_version=1"):
        response = await api.client.get(f"/v1/users/{other}{path}", by=caller, Prefer="wait=0")
        assert response.status in {403, 404, 504}, path

    assert clerk.asked == [caller]


async def test_strangers_cannot_make_us_ask(
    open_api: Callable[..., Any], clerk: Clerk, applied_url: str, rows: Database
) -> None:
    """Forged and expired tokens, sessions that have ended, machines."""
    user = clerk.sign_up()
    await rows.execute(
        "INSERT INTO users (id, clerk_id, status) VALUES ($1, $2, 'pending')",
        *(derive_id(user), user),
    )
    ended = f"sess_{user}"
    await rows.execute(
        """
        INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at)
        VALUES ($1, $2, $3, 'revoked', now(), now())
        """,
        *(derive_id(ended), ended, derive_id(user)),
    )
    async with open_api(applied_url, clerk_machine_tokens=True) as api:
        sign, http = api.client.token, api.client.http
        good = sign(user)
        tokens = {
            "forged": good[: good.rindex(".") + 1] + sign(new_user_id()).rpartition(".")[2],
            "unsigned": good[: good.rindex(".") + 1],
            "expired": sign(user, exp=int(time.time()) - 60),
            "ended": sign(user, sid=ended),
        }
        for name, token in tokens.items():
            headers = {"Authorization": f"Bearer {token}"}
            async with http.get("/v1/me", headers=headers) as response:
                assert response.status == 401, name
        machine = sign("mch_1", scope=READ_SCOPE)
        async with http.get(
            "/v1/users", headers={"Authorization": f"Bearer {machine}"}
        ) as response:
            assert response.status == 200

    assert clerk.asked == []


async def test_whom_clerk_does_not_have_is_asked_for_once(api: Api, clerk: Clerk) -> None:
    """The answer is that of before, and is remembered."""
    user = new_user_id()
    for _ in range(5):
        await api.refuse(user)

    assert clerk.asked == [user]
    assert (await api.counted("absent"), await api.counted("remembered")) == (1, 4)


async def test_a_clerk_that_is_slow_delays_for_a_moment_and_once(api: Api, clerk: Clerk) -> None:
    """The first request waits as long as it may, those that come meanwhile no longer."""
    clerk.trouble.latency_s = 30
    user = clerk.sign_up()
    await asyncio.gather(api.refuse(user), api.refuse(user))
    await api.refuse(user)

    assert clerk.asked == []
    assert clerk.trouble.asked[PATH] == 1
    assert await api.counted("clerk_unavailable") == 1


@pytest.mark.parametrize("ill", ["error", "reset", "truncated", "limited", "key"])
async def test_a_clerk_in_trouble_is_a_user_who_is_not_here(
    open_api: Callable[..., Any],
    clerk: Clerk,
    applied_url: str,
    monkeypatch: pytest.MonkeyPatch,
    ill: Any,
) -> None:
    """Errors, cut connections, 429, a wrong key: bounded; and the next user finds it well again."""
    monkeypatch.setattr(welcome, "ASK_S", 0.4)
    changes = {"clerk_secret_key": "sk_live_of-nobody"} if ill == "key" else {}
    if ill == "limited":
        clerk.trouble.requests_per_10_s = 1
    elif ill != "key":
        clerk.trouble.error_rate, clerk.trouble.ills = 1.0, (ill,)
    async with open_api(applied_url, **changes) as api:
        first, second = clerk.sign_up(), clerk.sign_up()
        if ill == "limited":
            assert (await api.me(first))[0] == 200
        await api.refuse(second)
        assert await api.counted("clerk_refused" if ill == "key" else "clerk_unavailable") == 1
        if ill not in {"key", "limited"}:
            clerk.trouble.error_rate = 0.0
            assert (await api.me(first))[0] == 200


async def test_a_clerk_that_is_away_is_left_alone(
    open_api: Callable[..., Any],
    clerk: Clerk,
    applied_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a few users nobody waits for it; the API is ready all the while."""
    monkeypatch.setattr(welcome, "ASK_S", 0.1)
    monkeypatch.setattr(welcome, "BREAKER_OPEN_S", 60.0)
    clerk.trouble.error_rate, clerk.trouble.ills = 1.0, ("reset",)
    async with open_api(applied_url) as api:
        for _ in range(5):
            await api.refuse(new_user_id())
        gauge = await api.client.metric('clerkwork_breaker_open{breaker="clerk"}')
        before = clerk.trouble.asked[PATH]
        for _ in range(10):
            await api.refuse(new_user_id())
        ready = await api.client.get("/readyz")

    assert gauge == 1
    assert clerk.trouble.asked[PATH] == before >= 5
    assert ready.status == 200


async def test_a_worker_that_is_away_delays_for_a_moment(
    open_api: Callable[..., Any],
    clerk: Clerk,
    database_url: str,
    users: Users,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Clerk said is on Kafka; the request is told to come back, and then finds it."""
    monkeypatch.setattr(welcome, "PATIENCE_S", 0.8)
    async with open_api(database_url) as api:
        user = clerk.sign_up()
        await api.refuse(user)
        await api.refuse(user)
        late, remembered = await api.counted("late"), await api.counted("remembered")
        await users.add(user, version=1)
        status, _ = await api.me(user)

    assert (late, remembered, status) == (1, 1, 200)
    assert clerk.asked == [user]


async def test_a_kafka_that_is_away_switches_it_off(
    open_api: Callable[..., Any], clerk: Clerk, applied_url: str
) -> None:
    """Nothing is asked that could not be kept, nobody waits, and the API is ready."""
    nowhere = f"127.0.0.1:{unused_port()}"
    async with open_api(applied_url, kafka_bootstrap_servers=nowhere) as api:
        user = clerk.sign_up()
        await api.refuse(user)
        served = await api.client.metric("clerkwork_newcomers_served")
        ready = await api.client.get("/readyz")

        assert await api.counted("kafka_unavailable") == 1
    assert (served, ready.status) == (0, 200)
    assert clerk.asked == []


async def test_without_a_key_nothing_is_asked(client: Client) -> None:
    """And the answer is the one of before."""
    api = Api(client)
    await api.refuse(new_user_id())

    assert client.http.app is not None
    assert NEWCOMERS not in client.http.app
    assert await client.metric("clerkwork_newcomers_served") == 0
    assert await client.metric("clerkwork_newcomer_seconds_count") == 0


async def test_a_webhook_alone_is_enough(
    api: Api, clerk: Clerk, producer: AIOKafkaProducer
) -> None:
    """Where Clerk fails, the request that waited finds who has come meanwhile."""
    told = clerk.world.create_user(id=new_user_id(), first_name="Grace")

    async def deliver(_: web.Request) -> None:
        await publish(producer, told)
        await asyncio.sleep(30)

    clerk.trouble.before_answer = deliver
    status, body = await api.me(told.id)

    assert (status, body["first_name"]) == (200, "Grace")
