"""Telling PostgreSQL's bad days from our own mistakes."""

from __future__ import annotations

import asyncpg
import pytest

from api.database import is_not_now


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        OSError(),
        asyncpg.InterfaceError("closed"),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.QueryCanceledError(),
        asyncpg.InvalidPasswordError(),
        asyncpg.InvalidCatalogNameError(),
        asyncpg.UndefinedTableError(),
        asyncpg.UndefinedColumnError(),
        asyncpg.InsufficientPrivilegeError(),
        asyncpg.DeadlockDetectedError(),
    ],
)
def test_a_state_of_the_server_is_not_now(error: Exception) -> None:
    """Asking again later may help, without a change to this program."""
    assert is_not_now(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.PostgresSyntaxError(),
        asyncpg.InvalidTextRepresentationError(),
        asyncpg.UniqueViolationError(),
        asyncpg.exceptions._base.DataError("wrong argument"),
    ],
)
def test_a_mistake_of_ours_is_a_mistake(error: Exception) -> None:
    """It must show as a 500, not as a database that is always away."""
    assert not is_not_now(error)
