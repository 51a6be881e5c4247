"""Tell the meanings of a failure apart, by type and SQLSTATE, never by text.

| meaning | such as | what follows |
|---|---|---|
| this event is bad | a value that PostgreSQL cannot hold, a constraint | bisect, dead letter |
| not now: conflict | deadlock, serialization, lock timeout | again at once, a few times |
| not now: outage | connection lost, too many, read-only, disk full, timeout | wait in place |
| not now: configuration | missing table, revoked role, password, certificate | wait in place |
| bug | any other exception | bisect, retry tiers, dead letter |

SQLSTATE classes: https://www.postgresql.org/docs/18/errcodes-appendix.html
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
from asyncpg.exceptions._base import DataError as DriverDataError  # the public one is class 22

from schema.ops.tls import name_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD_VALUE: Final = (
    asyncpg.DataError,  # class 22
    DriverDataError,  # the driver cannot encode it, such as an integer beyond its type
    asyncpg.IntegrityConstraintViolationError,  # class 23
    asyncpg.ProgramLimitExceededError,  # class 54, such as a value too long for its index
    UnicodeEncodeError,  # a lone surrogate
)
"""What PostgreSQL and its driver raise when a value cannot be stored, now or later."""

_CONFLICT: Final = (
    asyncpg.TransactionRollbackError,  # class 40: deadlock, serialization
    asyncpg.LockNotAvailableError,
)
_CONFIGURATION: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28
    asyncpg.SyntaxOrAccessError,  # class 42: a table, column or right is missing
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.ClientConfigurationError,  # the URL says something of TLS that cannot be
    ssl.SSLCertVerificationError,
)
_UNREACHABLE: Final = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.OperatorInterventionError,  # class 57: shutting down, starting up
    asyncpg.InterfaceError,
    OSError,
)


class NotNowError(Exception):
    """Nothing is wrong with the events: wait and try the same again."""

    kind = "outage"
    """outage | conflict | configuration: how metrics call it."""


class UnreachableError(NotNowError):
    """PostgreSQL does not answer at all: when it does again, the wait can end."""


class ConflictError(NotNowError):
    """Another transaction was in the way: the same can work at once."""

    kind = "conflict"


class ConfigurationError(NotNowError):
    """Somebody must set something right, such as a migration or a password."""

    kind = "configuration"


NOT_NOW_KINDS: Final = tuple(
    error.kind for error in (NotNowError, ConflictError, ConfigurationError)
)


@contextmanager
def not_now_unless_bad() -> Iterator[None]:
    """Turn what waiting can cure into NotNowError; let bad values and bugs through."""
    try:
        yield
    except BAD_VALUE:
        raise
    except _CONFLICT as error:
        raise ConflictError(type(error).__name__) from error
    except _CONFIGURATION as error:
        raise ConfigurationError(name_failure(error)) from error
    except (TimeoutError, asyncpg.QueryCanceledError) as error:  # somebody is there, but slow
        raise NotNowError(type(error).__name__) from error
    except _UNREACHABLE as error:
        raise UnreachableError(name_failure(error)) from error
    except asyncpg.PostgresError as error:
        raise NotNowError(type(error).__name__) from error
