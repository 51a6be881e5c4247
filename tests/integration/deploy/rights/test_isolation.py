"""Each process with nothing but its own: variables, role in PostgreSQL, rights in Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import EndTxnRequest

from api.settings import ApiSettings
from deploy import console
from deploy.rights.acls import Acl, AclError, Differences, apply_acls, diff_acls
from deploy.rights.tables import TABLES, role_of
from deploy.rights.topics import NEEDS, Right
from deploy.services import Service, Services
from deploy.stack.ports import free_port
from deploy.system import MODULES
from deploy.tokens import mint_token, new_private_key, public_key
from deploy.topics import apply_topics, connected_admin
from ingest.settings import IngestSettings
from schema.kafka.topics import GROUP, USER_CHANGES, USER_EVENTS
from tests.conftest import ROOT
from tests.factories import SECRET, make_body, new_event_id, new_user_id, sign, user_event
from tests.guarded import BOSS, arguments_as, guarded_kafka, variables_as
from tests.memory import scratch_directory
from tests.waiting import until
from workers.relay.publish import TRANSACTIONAL_ID
from workers.relay.settings import RelaySettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from pydantic_settings import BaseSettings

    from tests.guarded import Guarded


WALK: Final[Mapping[str, type[BaseSettings]]] = {
    "ingest": IngestSettings,
    "worker": WorkerSettings,
    "relay": RelaySettings,
    "api": ApiSettings,
}
"""Process -> what it reads."""
LOGIN: Final = "isolated_{}"
PASSWORD: Final = "only-here"


@dataclass(frozen=True, kw_only=True)
class World:
    """Both servers, and the processes between them."""

    kafka: str
    databases: Mapping[str, str]
    """Process -> its own URL."""
    environments: Mapping[str, Mapping[str, str]]
    urls: Mapping[str, str]
    logs: Path
    private_key: str


@pytest.fixture(scope="module")
def kafka() -> Iterator[Guarded]:
    """A Kafka that knows a user for each process."""
    with guarded_kafka(*NEEDS) as kafka:
        yield kafka


@pytest.fixture(scope="module")
async def rights(kafka: Guarded) -> str:
    """Its address, once each user has what their process needs, and that is all they have."""
    boss = arguments_as(BOSS, kafka.servers)
    users = {process: process for process in NEEDS}
    client = AIOKafkaClient(**boss)
    await client.bootstrap()
    try:
        await apply_acls(client, await diff_acls(client, users))
        found = await until(lambda: diff_acls(client, users), lambda each: not each.missing)
    finally:
        await client.close()
    assert not found.surplus
    async with connected_admin(arguments_as("topics", kafka.servers)) as admin:
        assert await apply_topics(admin) == []
    return kafka.servers


@pytest.fixture(scope="module")
async def logins(shared_database_url: str) -> AsyncIterator[Mapping[str, str]]:
    """A user of PostgreSQL's for each process, in its role alone: process -> URL."""
    place = shared_database_url.rpartition("@")[2]
    names = {process: LOGIN.format(process) for process in TABLES}
    boss = await asyncpg.connect(shared_database_url)
    try:
        for process, name in names.items():
            await boss.execute(
                f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' IN ROLE {role_of(process)}"
            )
        yield {
            process: f"postgresql://{name}:{PASSWORD}@{place}" for process, name in names.items()
        }
        for name in names.values():
            await boss.execute(f"DROP ROLE {name}")
    finally:
        await boss.close()


@pytest.fixture(scope="module")
async def world(rights: str, logins: Mapping[str, str]) -> AsyncIterator[World]:
    """The whole walk, each process as itself."""
    private_key = new_private_key()
    ports = {process: free_port() for process in WALK}
    token = {"CLERK_JWT_KEY": public_key(private_key)}
    own = {
        "ingest": {"CLERK_WEBHOOK_SIGNING_SECRET": SECRET, **variables_as("ingest", rights)},
        "worker": {"DATABASE_URL": logins["worker"], **variables_as("worker", rights)},
        "relay": {"DATABASE_URL": logins["relay"], **variables_as("relay", rights)},
        "api": {"DATABASE_URL": logins["api"], **token},
    }
    for process, port in ports.items():
        probes = "_METRICS" if process in {"worker", "relay"} else ""
        own[process][f"{process.upper()}{probes}_PORT"] = str(port)
    with scratch_directory() as logs:
        services = Services(
            [
                Service(
                    name=process,
                    module=MODULES[process],
                    port=ports[process],
                    environment=own[process],
                    log=logs / f"{process}.log",
                )
                for process in WALK
            ]
        )
        with services.running():
            yield World(
                kafka=rights,
                databases=logins,
                environments=own,
                urls={process: service.url for process, service in services.named.items()},
                logs=logs,
                private_key=private_key,
            )


async def _post(world: World, body: bytes, event_id: str) -> int:
    async with aiohttp.ClientSession() as http:
        url = f"{world.urls['ingest']}/webhooks/clerk"
        headers = sign(body, event_id=event_id)
        async with http.post(url, data=body, headers=headers) as answer:
            return answer.status


async def _read_user(world: World, user: str) -> tuple[int, Any]:
    token = mint_token(world.private_key, user_id=user, minutes=5)
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.get(f"{world.urls['api']}/v1/users/{user}") as answer,
    ):
        return answer.status, await answer.json()


async def _hear(kafka: str, user: str) -> bytes | None:
    """Return what other services are told of a user, as one of them."""
    consumer = AIOKafkaConsumer(
        **arguments_as("reader", kafka),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        consumer.assign(
            [TopicPartition(USER_CHANGES.name, n) for n in range(USER_CHANGES.partitions)]
        )
        while True:
            record = await consumer.getone()
            if record.key == user.encode():
                return record.value
    finally:
        await consumer.stop()


def test_each_process_is_given_what_it_reads_and_no_more(world: World) -> None:
    """No variable that its settings do not know; no secret in two hands that is not of both."""
    for process, variables in world.environments.items():
        fields = {name.upper() for name in WALK[process].model_fields}
        assert variables.keys() <= fields, process

    assert "DATABASE_URL" not in world.environments["ingest"]
    assert [
        process
        for process, variables in world.environments.items()
        if "CLERK_WEBHOOK_SIGNING_SECRET" in variables
    ] == ["ingest"]


async def test_a_webhook_goes_all_the_way(world: World) -> None:
    """Signed, published, applied, told and served, though nobody may do anything else."""
    user = new_user_id()
    assert await _post(world, user_event(user, at=0, kind="user.created"), new_event_id()) == 202
    _, told = await until(lambda: _read_user(world, user), lambda answer: answer[0] == 200)
    heard = await _hear(world.kafka, user)

    assert told["clerk_id"] == user
    assert user.encode() in (heard or b"")


async def _replay(world: World, event_id: str) -> tuple[int | None, str]:
    """Have the console replay an event, as an operator; return its exit code and words."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": world.databases["operator"],
        **variables_as("operator", world.kafka),
    }
    console = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "dlq", "replay", "--event", event_id, "--yes"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await console.communicate()
    return console.returncode, said.decode()


async def test_a_dead_letter_is_sent_on_its_way_again_by_an_operator(world: World) -> None:
    """The worker sets it aside and indexes it; the console takes it with an operator's rights."""
    user, event_id = new_user_id(), new_event_id()
    body = make_body("user.created", id=user, email_addresses="none")
    assert await _post(world, body, event_id) == 202
    desk = await asyncpg.connect(world.databases["desk"])
    statement = "SELECT state FROM dead_letters WHERE event_id = $1 ORDER BY dead_at DESC LIMIT 1"
    try:
        await until(lambda: desk.fetchval(statement, event_id), lambda state: state == "open")
        code, said = await _replay(world, event_id)
        count = "SELECT count(*) FROM dead_letters WHERE event_id = $1"
        again = await until(lambda: desk.fetchval(count, event_id), lambda number: number == 2)
    finally:
        await desk.close()

    assert code == 0, said
    assert again == 2


def test_nothing_was_denied_to_whom_it_worked_for(world: World, kafka: Guarded) -> None:
    """What is denied is tried again, or done without: neither shows in what came out."""
    assert {user: denied for user in (*WALK, "topics") if (denied := kafka.denied_to(user))} == {}
    assert [path for path in world.logs.iterdir() if "permission denied" in path.read_text()] == []


REFUSED: Final = {
    "worker": (
        "DELETE FROM users",
        "TRUNCATE users",
        "DROP TABLE users",
        "ALTER TABLE users ADD COLUMN note text",
        "UPDATE outbox SET state = NULL",
        "UPDATE relay_progress SET position = 0",
        "DELETE FROM dead_letters",
        "SELECT FROM operations",
        "UPDATE sweeps SET cursor = NULL",
        "UPDATE alembic_version SET version_num = '0001'",
    ),
    "relay": (
        "SELECT FROM users",
        "SELECT FROM posts",
        "SELECT FROM events",
        "SELECT owner FROM outbox",
        "DELETE FROM outbox",
        "UPDATE relay_progress SET forgotten = 0",
    ),
    "api": (
        "UPDATE users SET role = 'admin'",
        "INSERT INTO users DEFAULT VALUES",
        "DELETE FROM posts",
        "INSERT INTO events DEFAULT VALUES",
        "SELECT first_name FROM user_names",
        "SELECT FROM dead_letters",
        "SELECT FROM operations",
        "SELECT FROM events_default",
        "SELECT FROM users FOR SHARE",
        "CREATE TABLE mine (id bigint)",
    ),
    "desk": (
        "SELECT email FROM users",
        "SELECT state FROM outbox",
        "SELECT FROM posts",
        "DELETE FROM dead_letters",
        "DELETE FROM operations",
        "UPDATE operations SET operator = 'somebody'",
    ),
    "operator": (
        "DELETE FROM users",
        "UPDATE users SET role = 'admin'",
        "UPDATE posts SET body = ''",
        "DELETE FROM operations",
        "DELETE FROM events",
    ),
}


@pytest.mark.parametrize("process", REFUSED)
async def test_postgres_refuses_what_a_process_does_not_need(
    logins: Mapping[str, str], process: str
) -> None:
    """Each by its own error: 42501, insufficient_privilege."""
    connection = await asyncpg.connect(logins[process])
    try:
        for statement in REFUSED[process]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _client(user: str, servers: str) -> AsyncIterator[AIOKafkaClient]:
    client = AIOKafkaClient(**arguments_as(user, servers))
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


async def _fetch(client: AIOKafkaClient, topic: str) -> type[Exception] | None:
    node = client.get_random_node()
    assert node is not None
    answer = await client.send(node, FetchRequest(0, 0, 1000, 0, [(topic, [(0, 0, 1000)])]))
    code = answer.topics[0][1][0][1]
    return TopicAuthorizationFailedError if code == TopicAuthorizationFailedError.errno else None


READS: Final = (USER_EVENTS.name, f"{USER_EVENTS.name}.dlq", USER_CHANGES.name)


@pytest.mark.parametrize("user", NEEDS)
async def test_kafka_refuses_what_a_process_does_not_need(rights: str, user: str) -> None:
    """To read and to write, topic by topic; groups and transactions of others."""
    held = {(each.operation, each.name) for each in NEEDS[user]}
    async with _client(user, rights) as client:
        node = client.get_random_node()
        assert node is not None
        for topic in READS:
            refused = await _fetch(client, topic)
            assert (refused is None) == (("Read", topic) in held), topic
        group = await client.send(node, HeartbeatRequest(GROUP, -1, "nobody"))
        transaction = await client.send(node, EndTxnRequest(TRANSACTIONAL_ID, 1 << 62, 0, False))
    may_group = group.error_code != GroupAuthorizationFailedError.errno
    may_transact = transaction.error_code != TransactionalIdAuthorizationFailed.errno

    assert may_group == (("Read", GROUP) in held)
    assert may_transact == (("Write", TRANSACTIONAL_ID) in held)


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("ingest", USER_CHANGES.name),
        ("worker", USER_CHANGES.name),
        ("worker", USER_EVENTS.name),
        ("relay", USER_EVENTS.name),
        ("api", USER_CHANGES.name),
        ("canary", USER_CHANGES.name),
        ("desk", USER_CHANGES.name),
        ("operator", USER_CHANGES.name),
        ("reader", USER_CHANGES.name),
    ],
)
async def test_kafka_refuses_to_write_for_others(
    rights: str, kafka: Guarded, user: str, topic: str
) -> None:
    """Nobody but the relay tells of changes, nobody forges an event; and Kafka's log says so."""
    producer = AIOKafkaProducer(**arguments_as(user, rights))
    await producer.start()
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(topic, b"{}", partition=0)
    finally:
        await producer.stop()

    assert [line for line in kafka.denied_to(user) if topic in line]


async def test_nobody_but_the_boss_gives_rights(rights: str) -> None:
    """Not even who makes topics."""
    async with _client("topics", rights) as client:
        with pytest.raises(AclError, match="ClusterAuthorizationFailed"):
            await diff_acls(client, {"worker": "worker"})


BESIDES: Final = frozenset(
    {
        Acl(
            user="reader",
            right=Right(operation="All", kind="topic", name="clerk."),
            pattern="prefixed",
        ),
        Acl(user="reader", right=Right(operation="Read", kind="group", name="billing")),
    }
)


async def _differences(servers: str, *, give: frozenset[Acl] = frozenset()) -> Differences:
    """Give the reader rights, and return what differs then."""
    async with _client(BOSS, servers) as client:
        await apply_acls(client, Differences(missing=give, surplus=frozenset()))
        return await until(
            lambda: diff_acls(client, {"reader": "reader"}),
            lambda found: bool(found.surplus) is bool(give),
        )


def _console(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        console.app(["topics", "acls", *words])
    return ended.value.code


def test_what_a_user_may_do_besides_is_told_and_taken(
    rights: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is ours: a reader's own group is none of it."""
    for name, value in variables_as(BOSS, rights).items():
        monkeypatch.setenv(name, value)
    asyncio.run(_differences(rights, give=BESIDES))

    assert _console("reader=reader") == 1
    [told] = capsys.readouterr().out.splitlines()
    assert "--remove --force" in told
    assert told.endswith("--operation All --resource-pattern-type prefixed --topic clerk.")
    assert _console("reader=reader", "--apply") == 0
    asyncio.run(_differences(rights))
    capsys.readouterr()
    assert _console("reader=reader") == 0
    assert capsys.readouterr().out == "All ACLs are as declared.\n"
