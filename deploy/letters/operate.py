"""Operations: who did what to which letters, begun, carried on and finished.

An operation takes its letters in one statement: what arrives later is none of its business, and
no letter is ever in two. While it runs it holds a lock, by which others see that it is not broken.
"""

from __future__ import annotations

import getpass
import socket
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy.letters.select import Place
from schema.kafka.letters import REPLAY_LIMIT
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One action of one operator."""

    id: uuid.UUID
    action: str
    """replay | edit | purge | release."""
    planned: int
    """How many letters it has taken."""
    done: int = 0
    """How many of them are dealt with."""


def new_id() -> uuid.UUID:
    """Return the id of an operation to come."""
    return uuid.uuid4()


def who() -> str:
    """Return the operator, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container, the user's number may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def write_selection(selection: Mapping[str, Any]) -> str:
    """Return what was asked for, as JSON for the audit."""
    return msgspec.json.encode(selection).decode()


async def lock(connection: Connection, operation: uuid.UUID) -> bool:
    """Hold an operation while the connection lasts; False where another process does."""
    return bool(await connection.fetchval(_SQL["lock_operation"], str(operation)))


async def find_broken(connection: Connection) -> list[Operation]:
    """Return the operations that have not finished, the oldest first; some may still run."""
    rows = await connection.fetch(_SQL["find_unfinished"])
    return [Operation(**row) for row in rows]


async def next_letters(
    connection: Connection, operation: Operation, *, most: int
) -> Mapping[Place, str | None]:
    """Return letters that are still to be dealt with, the oldest first, each with its svix-id."""
    rows = await connection.fetch(_SQL["next_letters"], operation.id, most)
    return {Place(*row[:3]): row["event_id"] for row in rows}


async def settle(
    connection: Connection, operation: Operation, *, places: Collection[Place], state: str
) -> int:
    """Give these letters of an operation their state, and return how many had not had it yet."""
    if not places:
        return 0
    columns = [list(column) for column in zip(*places, strict=True)]
    return int(await connection.fetchval(_SQL["settle_letters"], operation.id, *columns, state))


async def finish(connection: Connection, operation: Operation) -> None:
    """Note that an operation is done."""
    await connection.execute(_SQL["finish_operation"], operation.id)


async def give_back(connection: Connection, operation: Operation) -> None:
    """Let go the letters that an operation has taken and not dealt with, and finish it."""
    await connection.execute(_SQL["give_back"], operation.id, REPLAY_LIMIT)


async def list_operations(connection: Connection, *, most: int) -> Sequence[asyncpg.Record]:
    """Return the audit, the newest first."""
    return await connection.fetch(_SQL["list_operations"], most)
