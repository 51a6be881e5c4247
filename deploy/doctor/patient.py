"""What checks look at: whatever of Kafka, PostgreSQL and Clerk the environment names."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deploy.database import connected
from deploy.errors import OperatorError
from deploy.letters.desk import reading
from schema.clerk.client import opened_clerk
from schema.clerk.settings import ClerkSettings
from schema.kafka.connections import connection_arguments, name_trouble
from schema.ops.settings import DatabaseSettings, KafkaSettings
from schema.ops.tls import name_failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiokafka import AIOKafkaConsumer
    from aiokafka.protocol.api import Request

    from schema.clerk.client import Clerk

    Connection = asyncpg.Connection[asyncpg.Record]
    Ask = Callable[[int, Request[Any]], Awaitable[Any]]

NAME: Final = "clerkwork-doctor"
"""What the servers see."""

ANSWER_S: Final = 4.0
"""How long a server may take to answer; less than a check may take."""

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class AwayError(Exception):
    """Something that a check needs is not there; the message says what."""


def read(settings: type[SettingsT], variable: str) -> SettingsT:
    """Return settings of the environment. Raises AwayError that names `variable`."""
    try:
        return settings()
    except ValidationError:
        raise AwayError(f"{variable} is not set, or not valid") from None


@contextlib.asynccontextmanager
async def database() -> AsyncIterator[Connection]:
    """Connect to PostgreSQL while the context lasts. Raises AwayError where nobody answers."""
    url = read(DatabaseSettings, "DATABASE_URL").database_url.get_secret_value()
    async with contextlib.AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(connected(url, name=NAME))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise AwayError(f"PostgreSQL is not reached ({name_failure(error)})") from error
        yield connection


@contextlib.asynccontextmanager
async def kafka_admin() -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect to Kafka while the context lasts. Raises AwayError where nobody answers."""
    arguments = _kafka_arguments()
    admin = AIOKafkaAdminClient(
        **arguments, client_id=NAME, request_timeout_ms=int(ANSWER_S * 1000)
    )
    try:
        try:
            await admin.start()
        except (KafkaConnectionError, OSError) as error:
            raise AwayError(f"Kafka is not reached ({name_trouble(error, arguments)})") from error
        yield admin
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def asking() -> AsyncIterator[tuple[Ask, list[int]]]:
    """Have who asks a broker something, and the numbers of all, while the context lasts.

    Raises AwayError where nobody answers, or where a broker does not know the question.
    """
    arguments = _kafka_arguments()
    client = AIOKafkaClient(**arguments, client_id=NAME, request_timeout_ms=int(ANSWER_S * 1000))

    async def ask(broker: int, request: Request[Any]) -> Any:
        try:
            await client.ready(broker)
            return await client.send(broker, request)
        except (NotImplementedError, IncompatibleBrokerVersion) as error:
            raise AwayError("This Kafka does not know the question") from error

    try:
        try:
            await client.bootstrap()
        except (KafkaConnectionError, OSError) as error:
            raise AwayError(f"Kafka is not reached ({name_trouble(error, arguments)})") from error
        yield ask, sorted(broker.nodeId for broker in client.cluster.brokers())
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def kafka_reader() -> AsyncIterator[AIOKafkaConsumer]:
    """Have a reader of topics while the context lasts. Raises AwayError where nobody answers."""
    _kafka_arguments()
    async with contextlib.AsyncExitStack() as stack:
        try:
            reader = reading(read(KafkaSettings, "KAFKA_BOOTSTRAP_SERVERS"), client=NAME)
            consumer = await stack.enter_async_context(reader)
        except OperatorError as error:
            raise AwayError("Kafka is not reached") from error
        yield consumer


@contextlib.asynccontextmanager
async def clerk() -> AsyncIterator[Clerk]:
    """Have Clerk to ask while the context lasts. Raises AwayError without a key."""
    async with opened_clerk(read(ClerkSettings, "CLERK_SECRET_KEY"), patience_s=ANSWER_S) as asked:
        yield asked


def _kafka_arguments() -> dict[str, Any]:
    # aiokafka logs each failed attempt; the verdict says it.
    for name in ("aiokafka", "schema.ops.tls"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return connection_arguments(read(KafkaSettings, "KAFKA_BOOTSTRAP_SERVERS"))
