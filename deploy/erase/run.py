"""Erase a person, on the servers of the environment."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaProducer

from deploy.database import connected, refusing_in_words
from deploy.erase.person import SHORTEST, Person
from deploy.erase.remove import Found, Removed, Servers, learn, look, remove
from deploy.erase.show import tell_consequences, tell_found, tell_removed
from deploy.errors import OperatorError
from deploy.letters.ask import agree
from deploy.letters.desk import PATIENCE_S, DeskSettings, naming_kafka, reading
from deploy.topics import connected_admin
from schema.kafka.connections import connection_arguments
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeVar

    from rich.console import Console

    T = TypeVar("T")

CLIENT: Final = "clerkwork-erase"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is to be done."""

    now: bool = False
    """Remove what was found."""
    yes: bool = False
    """Do not ask."""
    also: tuple[str, ...] = ()
    """Other texts by which records name them."""


def run_erase(clerk_id: str, wishes: Wishes, *, console: Console) -> int:
    """Say where a person is, and remove them where it is wished; return 1 while something is left.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    if any(len(text) < SHORTEST for text in wishes.also):
        raise OperatorError(f"--also wants {SHORTEST} characters at least: others have such too.")
    settings = read_settings(DeskSettings)
    configure_logs(settings.model_copy(update={"log_level": "ERROR"}))
    person = Person(clerk_id).knowing(wishes.also)
    found = _with_servers(settings, lambda servers: _look(servers, person))
    _print(console, tell_found(found))
    if found.is_over or not wishes.now:
        return 0 if found.is_over else 1
    _require_deleted(found)
    if not agree(tell_consequences(found), yes=wishes.yes):
        return 1
    removed, left = _with_servers(settings, lambda servers: _remove(servers, found))
    _print(console, [*tell_removed(removed), *tell_found(left)])
    return 0 if left.is_over else 1


async def _look(servers: Servers, person: Person) -> Found:
    return await look(servers, await learn(servers, person))


async def _remove(servers: Servers, found: Found) -> tuple[Removed, Found]:
    """Remove, and look again: nothing is believed that is not seen."""
    removed = await remove(servers, found)
    return removed, await look(servers, found.person)


def _require_deleted(found: Found) -> None:
    if found.tables.is_living:
        raise OperatorError(
            f"Nothing is removed: {found.person.clerk_id} is not deleted. Delete them at Clerk, in"
            " its dashboard or by DELETE /users/{id}, and run this again once the webhook is"
            " applied. Where Clerk does not have them any more, clerkwork reconcile --repair"
            " brings the deletion."
        )


def _print(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _with_servers(settings: DeskSettings, act: Callable[[Servers], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _opened(settings) as servers:
            return await act(servers)

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def _opened(settings: DeskSettings) -> AsyncIterator[Servers]:
    """Connect to both servers while the context lasts. Raises OperatorError in words."""
    url = settings.database_url.get_secret_value()
    arguments = connection_arguments(settings)
    producer = AIOKafkaProducer(**arguments, client_id=CLIENT, enable_idempotence=True, acks="all")
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(refusing_in_words())
        connection = await stack.enter_async_context(connected(url, name=CLIENT))
        consumer = await stack.enter_async_context(reading(settings, client=CLIENT))
        stack.enter_context(naming_kafka())
        admin = await stack.enter_async_context(connected_admin(arguments))
        stack.push_async_callback(producer.stop)
        await asyncio.wait_for(producer.start(), PATIENCE_S)
        yield Servers(connection=connection, admin=admin, consumer=consumer, producer=producer)
