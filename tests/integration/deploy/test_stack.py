"""Real Kafka and real PostgreSQL as child processes of ours."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.stack import Kafka, Postgres, Stack, StackError, installation, running_stack
from deploy.stack.kafka import new_cluster_id
from deploy.stack.ports import require_free

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

TOPIC = TopicPartition("kept", 0)

CONSOLE = """
import pathlib, sys, time
from deploy.stack import running_stack
with running_stack(data=pathlib.Path(sys.argv[1])) as stack:
    print(stack.kafka.pid, stack.postgres.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both servers, for all tests here; each leaves them running."""
    with running_stack(data=tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def kafka(stack: Stack) -> Kafka:
    """The embedded broker."""
    assert stack.kafka
    return stack.kafka


@pytest.fixture
def postgres(stack: Stack) -> Postgres:
    """The embedded server."""
    assert stack.postgres
    return stack.postgres


async def test_postgres_is_ours_and_modern(stack: Stack) -> None:
    """The URL leads to a PostgreSQL 18 in UTC that keeps what it has acknowledged."""
    assert await query(stack.database_url, "SHOW server_version_num") >= "180000"
    assert await query(stack.database_url, "SHOW timezone") == "UTC"
    assert await query(stack.database_url, "SHOW fsync") == "on"
    assert await query(stack.database_url, "SHOW listen_addresses") == "127.0.0.1"
    assert await query(stack.database_url, "SELECT lower('ÄÉ')") == "äé"


async def test_postgres_wants_its_password(stack: Stack) -> None:
    """Other users of the machine do not get in without the generated password."""
    user, _, address = stack.database_url.rpartition("@")
    wrong = f"{user.rpartition(':')[0]}:wrong@{address}"

    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(wrong, "SELECT 1")


@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_postgres_keeps_its_rows(postgres: Postgres, ending: str) -> None:
    """After a clean stop and after a crash it comes back where it was, with what it had."""
    url = postgres.url
    await query(url, f"CREATE TABLE kept_{ending} AS SELECT 42 AS answer")
    getattr(postgres, ending)()
    with pytest.raises(OSError, match="Connect call failed"):
        await query(url, "SELECT 1")

    postgres.start()

    assert postgres.url == url
    assert await query(url, f"TABLE kept_{ending}") == 42


async def test_postgres_comes_back_after_anyones_kill(postgres: Postgres) -> None:
    """Backends that still notice the crash, and its leftover pid file, do not keep it away."""
    connection = await asyncpg.connect(postgres.url)
    os.kill(postgres.pid, signal.SIGKILL)

    postgres.start()

    assert await query(postgres.url, "SELECT 1") == 1
    connection.terminate()


async def test_postgres_is_not_misled_by_a_recycled_pid(postgres: Postgres) -> None:
    """A crashed server's pid may be another program's by now."""
    postgres.kill()
    pid_file = next(postgres.data.glob("postmaster.pid"))
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    postgres.start()

    assert await query(postgres.url, "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_postgres_does_not_run_as_root(postgres: Postgres) -> None:
    """Started by root it runs as another user, even with its data out of that user's reach."""
    assert psutil.Process(postgres.pid).uids().effective != 0
    assert postgres.data.parent.parent.stat().st_mode & 0o077 == 0


@pytest.fixture
def common_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where programs are copied to: those in root's clone are closed to others."""
    hidden = tmp_path / "hidden"
    for part in (installation.PROGRAMS, installation.LIBRARIES):
        shutil.copytree(installation._packaged() / part, hidden / part)
    hidden.chmod(0o700)
    common = Path(tempfile.mkdtemp(dir="/tmp"))  # open to all
    monkeypatch.setattr(installation, "_packaged", lambda: hidden)
    monkeypatch.setattr(installation, "_common_places", lambda: [common])
    yield common
    shutil.rmtree(common)


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_programs_out_of_reach_are_copied(common_place: Path) -> None:
    """When root's clone is closed to others, the programs run from a copy that is not."""
    provided = installation.provide_installation()

    assert provided.program("postgres").is_relative_to(common_place)
    assert provided.why_not() == ""
    assert provided.program("initdb") == installation.provide_installation().program("initdb")


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_who_copies_them_as_another_does_uses_the_same(
    common_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two first starts at once: the one that is overtaken goes on with the other's copy."""
    copy = installation._copy
    others: list[installation.Installation] = []

    def overtaken(packaged: Path, target: Path) -> None:
        monkeypatch.setattr(installation, "_copy", copy)
        others.append(installation.provide_installation())
        copy(packaged, target)

    monkeypatch.setattr(installation, "_copy", overtaken)

    assert [installation.provide_installation()] == others
    assert len(list(common_place.iterdir())) == 1


@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_kafka_keeps_its_records(kafka: Kafka, ending: str) -> None:
    """After a clean stop and after a crash it comes back where it was, with what it had."""
    address = kafka.bootstrap_servers
    async with connected_admin(address) as admin:
        await admin.create_topics([NewTopic(TOPIC.topic, 1, 1)])
    async with AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True) as producer:
        await producer.send_and_wait(TOPIC.topic, ending.encode())
    getattr(kafka, ending)()
    assert not listens(kafka.port)

    kafka.start()

    assert kafka.bootstrap_servers == address
    async with AIOKafkaConsumer(
        bootstrap_servers=address, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign([TOPIC])
        values = {(await consumer.getone()).value}
        values |= {each.value for each in (await consumer.getmany(timeout_ms=500)).get(TOPIC, [])}
    assert ending.encode() in values


async def test_kafka_creates_no_topic_by_itself(kafka: Kafka) -> None:
    """A misspelt topic is an error, not a new topic."""
    async with connected_admin(kafka.bootstrap_servers) as admin:
        [described] = await admin.describe_topics(["misspelt"])
        assert described["error_code"] != 0
        assert "misspelt" not in await admin.list_topics()


def test_cluster_ids_are_no_options() -> None:
    """No cluster id begins with a dash, which Kafka's tool takes for an option."""
    assert not any(new_cluster_id().startswith("-") for _ in range(1000))


@pytest.mark.parametrize(("server", "name"), [(Kafka, "Kafka"), (Postgres, "PostgreSQL")])
def test_a_taken_port_is_named(server: type[Kafka | Postgres], name: str, tmp_path: Path) -> None:
    """The error says which port, who asked for it and who has it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        wanting = server(data=tmp_path / "data", log=tmp_path / "log", port=port)

        with pytest.raises(StackError, match=rf"{name} .*:{port}, .*pid {os.getpid()}"):
            wanting.start()


@pytest.mark.parametrize("name", ["kafka", "postgres"])
def test_a_second_start_is_refused(request: pytest.FixtureRequest, name: str) -> None:
    """Starting what runs already is an error and leaves it running."""
    server: Kafka | Postgres = request.getfixturevalue(name)

    with pytest.raises(StackError, match="is running already"):
        server.start()

    assert listens(server.port)


def test_one_stack_per_directory(stack: Stack, kafka: Kafka) -> None:
    """A second stack on the same data is refused, with the pid of the first."""
    del stack
    data = kafka.data.parent

    with (
        pytest.raises(StackError, match=f"in use by .* pid {os.getpid()}"),
        running_stack(data=data),
    ):
        pass


def test_what_exists_is_not_started(tmp_path: Path) -> None:
    """With both addresses given, they are handed on and nothing runs."""
    addresses = {"bootstrap_servers": "kafka:9092", "database_url": "postgresql://db/it"}

    with running_stack(data=tmp_path, **addresses) as stack:  # type: ignore[arg-type]  # addresses of either
        assert stack == Stack(**addresses, kafka=None, postgres=None)


def test_one_failing_start_stops_the_other(tmp_path: Path) -> None:
    """When Kafka cannot start, PostgreSQL does not stay."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError), running_stack(data=tmp_path, kafka_port=port):
            pass

    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
    assert "database system is shut down" in (tmp_path / "logs/postgres.log").read_text()


def test_nothing_survives_the_console(tmp_path: Path, gone: Callable[[int], bool]) -> None:
    """After SIGKILL of the console both servers end by themselves, PostgreSQL cleanly."""
    console = subprocess.Popen(  # noqa: S603 - the command is ours
        [sys.executable, "-c", CONSOLE, tmp_path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with console.stdout as out:  # type: ignore[union-attr]  # it is a pipe
        servers = [int(pid) for pid in out.readline().split()]
    assert all(psutil.pid_exists(pid) for pid in servers)
    console.kill()
    console.wait()

    assert len(servers) == 2
    assert all(gone(pid) for pid in servers)
    assert "database system is shut down" in (tmp_path / "logs/postgres.log").read_text()


@asynccontextmanager
async def connected_admin(address: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that can create topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def query(url: str, statement: str) -> Any:
    """Return the one value that the statement yields."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("port", [-1, 65_536])
def test_what_can_be_no_port_is_refused(port: int) -> None:
    """In words."""
    with pytest.raises(StackError, match="ports are 0 to 65535"):
        require_free(port, asked_by="ingest (--ingest-port)")
