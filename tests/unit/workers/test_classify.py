"""Which failures mean: not now."""

from __future__ import annotations

import asyncpg
import pytest
from asyncpg.exceptions._base import DataError as DriverDataError

from workers.classify import (
    ConfigurationError,
    ConflictError,
    NotNowError,
    UnreachableError,
    not_now_unless_bad,
)


@pytest.mark.parametrize(
    "error",
    [
        OSError(),
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.InterfaceError("the pool is closing"),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.DiskFullError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.SerializationError(),
        asyncpg.LockNotAvailableError(),
        asyncpg.QueryCanceledError(),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.UndefinedTableError(),
        asyncpg.UndefinedColumnError(),
        asyncpg.InsufficientPrivilegeError(),
        asyncpg.InvalidPasswordError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_waiting_can_cure(error: Exception) -> None:
    """Outages, conflicts and configuration are never the event's fault."""
    with pytest.raises(NotNowError), not_now_unless_bad():
        raise error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), UnreachableError),
        (asyncpg.ConnectionDoesNotExistError(), UnreachableError),
        (asyncpg.CannotConnectNowError(), UnreachableError),
        (asyncpg.AdminShutdownError(), UnreachableError),
        (TimeoutError(), NotNowError),
        (asyncpg.QueryCanceledError(), NotNowError),
        (asyncpg.DiskFullError(), NotNowError),
        (asyncpg.ReadOnlySQLTransactionError(), NotNowError),
        (asyncpg.DeadlockDetectedError(), ConflictError),
        (asyncpg.SerializationError(), ConflictError),
        (asyncpg.LockNotAvailableError(), ConflictError),
        (asyncpg.UndefinedTableError(), ConfigurationError),
        (asyncpg.UndefinedColumnError(), ConfigurationError),
        (asyncpg.InsufficientPrivilegeError(), ConfigurationError),
        (asyncpg.InvalidPasswordError(), ConfigurationError),
        (asyncpg.InvalidCatalogNameError(), ConfigurationError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_is_in_the_way(error: Exception, kind: type[NotNowError]) -> None:
    """Each kind of waiting has its type."""
    with pytest.raises(NotNowError) as raised, not_now_unless_bad():
        raise error

    assert type(raised.value) is kind


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.NotNullViolationError(),
        asyncpg.CheckViolationError(),
        asyncpg.UniqueViolationError(),
        asyncpg.UntranslatableCharacterError(),
        asyncpg.CharacterNotInRepertoireError(),
        asyncpg.NumericValueOutOfRangeError(),
        asyncpg.DataError(),
        DriverDataError(""),
        asyncpg.ProgramLimitExceededError(),
        KeyError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_waiting_cannot_cure(error: Exception) -> None:
    """Bad values and bugs come through as they are."""
    with pytest.raises(type(error)), not_now_unless_bad():
        raise error
