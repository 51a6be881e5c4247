"""A connection for the operator: it waits for locks only briefly, and refuses in words."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from deploy.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    Connection = asyncpg.Connection[asyncpg.Record]

_ATTEMPTS: Final = 5
_SESSION: Final = {
    "client_connection_check_interval": "5s",  # or the server would finish for nobody
    "datestyle": "ISO",
    "idle_in_transaction_session_timeout": "10s",
    # More than deadlock_timeout, after which an autovacuum in the way is told to make room.
    "lock_timeout": "2s",
    "timezone": "UTC",
}


@contextlib.asynccontextmanager
async def connected(
    database_url: str, *, name: str = "clerkwork-maintain"
) -> AsyncIterator[Connection]:
    """Connect while the context lasts; `name` shows in pg_stat_activity.

    Raises what the driver raises.
    """
    settings = {**_SESSION, "application_name": name}
    connection = await asyncpg.connect(database_url, timeout=5.0, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close(timeout=5.0)


def attempts() -> AsyncRetrying:
    """Return a few attempts at what others are in the way of; the last one raises."""
    return AsyncRetrying(
        retry=retry_if_exception_type(
            (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
        ),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random(0.5, 2),
        reraise=True,
    )


def count_changed(status: str) -> int:
    """Return the number in a command's status, such as `DELETE 7`; 0 where it has none."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0


async def repeat(connection: Connection, statement: str, *arguments: object) -> int:
    """Run a statement, which takes a batch of rows, until it finds none; return how many it found.

    Each run is a transaction of its own. Raises what the driver raises.
    """
    total = 0
    while changed := count_changed(await connection.execute(statement, *arguments)):
        total += changed
    return total


@contextlib.contextmanager
def refusing_in_words() -> Iterator[None]:
    """Turn what PostgreSQL, the driver and the network raise into OperatorError."""
    try:
        yield
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise OperatorError(
            f"The database in DATABASE_URL is not up to date ({error}). Run clerkwork migrate."
        ) from error
    except (
        asyncpg.LockNotAvailableError,
        asyncpg.DeadlockDetectedError,
        asyncpg.QueryCanceledError,
    ) as error:
        raise OperatorError(
            f"Others keep PostgreSQL too busy ({error}). What was done until then stays:"
            " run this again, at a quieter hour."
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OperatorError(f"PostgreSQL refuses: {error}.") from error
    except (OSError, TimeoutError) as error:
        raise OperatorError(
            f"PostgreSQL does not answer ({str(error) or type(error).__name__})."
            " Is it up, and DATABASE_URL right?"
        ) from error
