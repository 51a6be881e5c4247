"""Tell the three meanings of a failure apart, by type and SQLSTATE, never by text.

*This event is bad*: values that PostgreSQL cannot hold. *Not now*: everything else PostgreSQL or
the network says, a missing table or a revoked role included: waiting loses nothing, dead-lettering
would. *Bug*: any other exception, which nobody here catches.
SQLSTATE classes: https://www.postgresql.org/docs/18/errcodes-appendix.html
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD_VALUE: Final = (
    asyncpg.DataError,  # class 22, and asyncpg's own refusal to encode a value
    asyncpg.IntegrityConstraintViolationError,  # class 23
    asyncpg.ProgramLimitExceededError,  # class 54, such as a value too long for its index
    UnicodeEncodeError,  # a lone surrogate
)
"""What PostgreSQL and its driver raise when a value cannot be stored, now or later."""


class NotNowError(Exception):
    """Nothing is wrong with the events: wait and try the same again."""


@contextmanager
def not_now_unless_bad() -> Iterator[None]:
    """Turn what waiting can cure into NotNowError; let bad values and bugs through."""
    try:
        yield
    except BAD_VALUE:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise NotNowError(type(error).__name__) from error
