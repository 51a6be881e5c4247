"""Telling PostgreSQL's bad days from our own mistakes."""

from __future__ import annotations

import asyncpg
import pytest

from api.database import CrowdedError, is_away, is_lost, is_not_now


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


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (asyncpg.ConnectionDoesNotExistError(), True),
        (asyncpg.ConnectionFailureError(), True),
        (asyncpg.AdminShutdownError(), True),
        (asyncpg.CrashShutdownError(), True),
        (asyncpg.InterfaceError("closed"), True),
        (asyncpg.InternalClientError("another operation is in progress"), True),
        (ConnectionResetError(), True),
        (BrokenPipeError(), True),
        (ConnectionRefusedError(), False),
        (TimeoutError(), False),
        (asyncpg.CannotConnectNowError(), False),
        (asyncpg.QueryCanceledError(), False),
        (asyncpg.TooManyConnectionsError(), False),
        (asyncpg.exceptions._base.DataError("wrong argument"), False),
        (asyncpg.UndefinedTableError(), False),
    ],
)
def test_only_a_lost_connection_is_worth_another_try(error: Exception, *, lost: bool) -> None:
    """Asking a server that refuses or is slow once more would only add to its load."""
    assert is_lost(error) is lost


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.AdminShutdownError(), True),
        (asyncpg.TooManyConnectionsError(), True),
        (asyncpg.InvalidPasswordError(), True),
        (asyncpg.QueryCanceledError(), False),
        (asyncpg.LockNotAvailableError(), False),
        (asyncpg.UndefinedTableError(), False),
        (asyncpg.PostgresSyntaxError(), False),
        (asyncpg.exceptions._base.DataError("wrong argument"), False),
        (KeyError(), False),
        (CrowdedError(), None),
    ],
)
def test_what_opens_the_circuit(error: Exception, *, away: bool | None) -> None:
    """One slow statement, or a table that is missing, keeps no other from being asked."""
    assert is_away(error) is away
