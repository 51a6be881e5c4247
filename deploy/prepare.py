"""Bring the database and the topics to the declared state, once their servers answer."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from aiokafka.errors import KafkaError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_exponential,
)

from deploy.errors import OperatorError
from deploy.migrate import migrate
from deploy.rehearse.run import rehearse_and_tell
from deploy.topics import Difference, apply_topics, connected_admin, diff_topics
from schema.kafka.connections import connection_arguments, name_trouble
from schema.ops.settings import DatabaseSettings, KafkaSettings, read_settings
from schema.ops.tls import name_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

PATIENCE_S: Final = 30.0
"""How long a server that is starting up is waited for."""

_NOT_YET: Final = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.TooManyConnectionsError,
)


def run_migrate(console: Console, *, sample: int | None = None) -> int:
    """Migrate the database of the environment; with a sample, only rehearse that.

    Returns 1 when a rehearsed revision failed. Raises OperatorError, and SystemExit when the
    environment is not valid.
    """
    url = read_settings(DatabaseSettings).database_url.get_secret_value()
    if sample is not None:
        return rehearse_and_tell(url, rows=sample, console=console)
    console.print(f"The database is at revision {asyncio.run(prepare_database(url))}.")
    return 0


async def prepare_database(url: str, *, patience_s: float = PATIENCE_S) -> str:
    """Migrate the database and return the revision it is at. Raises OperatorError."""
    try:
        async for attempt in _attempts("PostgreSQL", _NOT_YET, patience_s):
            with attempt:
                return await migrate(url)
    except _NOT_YET as error:
        raise OperatorError(
            f"PostgreSQL does not answer ({_say(error)}). Is it up, and DATABASE_URL right?"
        ) from error
    except (asyncpg.PostgresError, SQLAlchemyError) as error:
        raise OperatorError(f"PostgreSQL refuses: {_say(error)}.") from error
    raise AssertionError  # the attempts end with a value or an exception


async def prepare_topics(connection: Mapping[str, Any]) -> list[Difference]:
    """Create and correct topics; return what still differs. Raises OperatorError or TopicError."""
    return await _with_admin(connection, apply_topics)


async def compare_topics(connection: Mapping[str, Any]) -> list[Difference]:
    """Return what differs from the declaration. Raises OperatorError."""
    return await _with_admin(connection, diff_topics)


def tell_differences(
    act: Callable[[Mapping[str, Any]], Coroutine[Any, Any, list[Difference]]], console: Console
) -> int:
    """Run one of the two on the Kafka of the environment, print what differs, return 1 if any.

    Raises what it raises, and SystemExit when the environment is not valid.
    """
    differences = asyncio.run(act(connection_arguments(read_settings(KafkaSettings))))
    for each in differences:
        found = each.found or "missing"
        console.print(f"{each.topic.name}: {each.setting} is {found}, not {each.declared}")
    if not differences:
        console.print("All topics are as declared.")
    return 1 if differences else 0


async def _with_admin(
    connection: Mapping[str, Any],
    act: Callable[[AIOKafkaAdminClient], Awaitable[list[Difference]]],
    *,
    patience_s: float = PATIENCE_S,
) -> list[Difference]:
    # aiokafka logs each failed attempt; the last one is told below.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        async for attempt in _attempts("Kafka", (KafkaError, OSError), patience_s):
            with attempt:
                async with connected_admin(connection) as admin:
                    return await act(admin)
    except (KafkaError, OSError) as error:
        raise OperatorError(
            f"Kafka does not answer ({name_trouble(error, connection)})."
            " Is it up, and KAFKA_BOOTSTRAP_SERVERS right?"
        ) from error
    raise AssertionError


def _attempts(server: str, errors: tuple[type[Exception], ...], patience_s: float) -> AsyncRetrying:
    def say_once(state: RetryCallState) -> None:
        if state.attempt_number == 1:
            waiting = f"{server} does not answer yet; trying for {patience_s:.0f} s …"
            Console(stderr=True, highlight=False).print(waiting)

    return AsyncRetrying(
        retry=retry_if_exception(
            lambda error: isinstance(error, errors) and not _is_stranger(error)
        ),
        stop=stop_after_delay(patience_s),
        wait=wait_exponential(multiplier=0.1, max=2),
        before_sleep=say_once,
        reraise=True,
    )


def _is_stranger(error: BaseException) -> bool:
    """Tell whether a server has shown a certificate that no waiting makes a trusted one."""
    return isinstance(error, ssl.SSLCertVerificationError)


def _say(error: Exception) -> str:
    """Return the first line of an error's message, which names no password."""
    if _is_stranger(error):
        return name_failure(error)
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
