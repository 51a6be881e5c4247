"""Bring everything up, Kafka and PostgreSQL first; take it down again, in reverse order."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.announce import announce
from deploy.home import Running
from deploy.prepare import prepare_database, prepare_topics
from deploy.signals import interruptible, shield
from deploy.stack import Stack, running_stack
from deploy.stack.ports import require_free
from deploy.system import MODULES, System, Wishes, describe_system
from schema.kafka.connections import connection_arguments
from schema.ops.settings import KafkaSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


def up(wishes: Wishes, console: Console) -> int:
    """Run until told to stop, and return the exit code.

    Raises OperatorError when a part fails.
    """
    with interruptible():
        try:
            with running_system(wishes, console) as system:
                announce(system, console)
                system.watch()
        except KeyboardInterrupt:
            console.print("Stopped.")
    return 0


@contextmanager
def running_system(wishes: Wishes, console: Console) -> Iterator[System]:
    """Bring everything up; at the end take it down, undisturbed by further signals.

    Raises OperatorError, with nothing left running.
    """
    for name in MODULES:
        if port := getattr(wishes, f"{name}_port"):
            require_free(port, asked_by=f"{name} (--{name}-port)")
    with ExitStack() as running:
        data = wishes.data or Path(running.enter_context(_scratch()))
        with _timed(console, _servers(wishes)):
            stack = _start_stack(running, wishes, data)
        with _timed(console, "Migrating the database, creating topics"):
            asyncio.run(_prepare(stack, console))
        system = describe_system(wishes, stack=stack, logs=data / "logs")
        with _timed(console, "Starting the processes"):
            running.enter_context(system.services.running())
        running.callback(wishes.home.forget)
        wishes.home.remember(
            Running(pid=os.getpid(), ingest=system.webhooks_url, api=system.api_url)
        )
        running.callback(shield)
        yield system


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="clerkwork-", ignore_cleanup_errors=True)


def _start_stack(running: ExitStack, wishes: Wishes, data: Path) -> Stack:
    return running.enter_context(
        running_stack(
            data=data,
            bootstrap_servers=wishes.environment.get("KAFKA_BOOTSTRAP_SERVERS"),
            database_url=wishes.environment.get("DATABASE_URL"),
            kafka_port=wishes.kafka_port,
            postgres_port=wishes.postgres_port,
        )
    )


async def _prepare(stack: Stack, console: Console) -> None:
    connection = (
        {"bootstrap_servers": stack.bootstrap_servers}
        if stack.kafka
        else connection_arguments(read_settings(KafkaSettings))
    )
    await prepare_database(stack.database_url)
    for each in await prepare_topics(connection):
        console.print(f"\n{each.topic.name}: {each.setting} is {each.found}, not {each.declared}")


def _servers(wishes: Wishes) -> str:
    variables = {"Kafka": "KAFKA_BOOTSTRAP_SERVERS", "PostgreSQL": "DATABASE_URL"}
    embedded = [name for name, known in variables.items() if not wishes.environment.get(known)]
    return f"Starting {' and '.join(embedded)}" if embedded else "Using your Kafka and PostgreSQL"


@contextmanager
def _timed(console: Console, what: str) -> Iterator[None]:
    """Say what is done, before and after; in lines, so that others may speak meanwhile."""
    begin = time.monotonic()
    console.print(f"{what} …")
    yield
    console.print(f"{what}: done in {time.monotonic() - begin:.1f} s")
