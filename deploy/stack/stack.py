"""Kafka and PostgreSQL together, for as long as somebody needs them."""

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.errors import StackError
from deploy.stack.kafka import Kafka
from deploy.stack.postgres import Postgres


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Where the two are."""

    bootstrap_servers: str
    """Kafka's host:port, comma-separated where there are several."""

    database_url: str
    """PostgreSQL's URL, password included."""

    kafka: Kafka | None
    """The embedded broker, to kill and restart at will; None where it is another's."""

    postgres: Postgres | None
    """The embedded server, likewise."""


@contextmanager
def running_stack(
    *,
    data: Path,
    bootstrap_servers: str | None = None,
    database_url: str | None = None,
    kafka_port: int | None = None,
    postgres_port: int | None = None,
) -> Iterator[Stack]:
    """Start what no address was given for, side by side; stop it at the end.

    Records, rows and logs are kept below `data`; only one stack at a time may use it. Without
    a port, a free one is taken. Raises StackError, with nothing left running, when a server
    cannot start.
    """
    logs = data / "logs"
    with ExitStack() as running:
        running.enter_context(_alone_in(data))
        postgres = kafka = None
        if not database_url:
            postgres = Postgres(
                data=data / "postgres", log=logs / "postgres.log", port=postgres_port
            )
            running.callback(postgres.stop)
        if not bootstrap_servers:
            kafka = Kafka(data=data / "kafka", log=logs / "kafka.log", port=kafka_port)
            running.callback(kafka.stop)
        _start(kafka, postgres)
        yield Stack(
            bootstrap_servers=kafka.bootstrap_servers if kafka else bootstrap_servers or "",
            database_url=postgres.url if postgres else database_url or "",
            kafka=kafka,
            postgres=postgres,
        )


def _start(kafka: Kafka | None, postgres: Postgres | None) -> None:
    """Start both at once; Kafka, the slow one, in this thread, where Ctrl-C arrives."""
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(postgres.start) if postgres else None
        if kafka:
            kafka.start()
    if started:
        started.result()


@contextmanager
def _alone_in(data: Path) -> Iterator[None]:
    """Refuse a directory that another stack uses."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "in-use").open("a+") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mark.seek(0)
            raise StackError(
                f"{data} is in use by the clerkwork with pid {mark.read() or 'unknown'}. Stop that "
                "one, or choose another directory with --data."
            ) from None
        mark.truncate(0)
        mark.write(str(os.getpid()))
        mark.flush()
        yield
