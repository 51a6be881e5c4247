"""Examine: all checks at once, each within its time, none in another's way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka.errors import KafkaError

from deploy.doctor.patient import AwayError
from deploy.doctor.verdict import Status, Verdict, skip, wrong

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

BOUND_S: Final = 5.0
"""How long one check may take."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that can be wrong."""

    name: str
    look: Callable[[], Awaitable[Verdict]]
    """May raise AwayError, and what drivers raise."""
    group: str = ""
    """What it belongs to."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check came to."""

    name: str
    verdict: Verdict
    group: str = ""


async def examine(checks: Sequence[Check], *, bound_s: float = BOUND_S) -> list[Finding]:
    """Return what each check found, in their order. Never raises."""
    verdicts = await asyncio.gather(*(_look(check, bound_s) for check in checks))
    return [
        Finding(name=check.name, verdict=verdict, group=check.group)
        for check, verdict in zip(checks, verdicts, strict=True)
    ]


def has_wrong(findings: Sequence[Finding]) -> bool:
    """Tell whether something is wrong."""
    return any(finding.verdict.status is Status.WRONG for finding in findings)


async def _look(check: Check, bound_s: float) -> Verdict:
    try:
        async with asyncio.timeout(bound_s):
            return await check.look()
    except AwayError as error:
        return skip(f"{error}.")
    except TimeoutError:
        return wrong(f"No answer within {bound_s:.0f} s.", "See whether the server hangs.")
    except Exception as error:  # noqa: BLE001 - one broken check must not hide what others found
        return explain(error)


def explain(error: Exception) -> Verdict:
    """Return what it means that a check ended so."""
    kind = type(error).__name__
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return skip("The database lacks a table or a column for that.", "Run clerkwork migrate.")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return wrong(
            "PostgreSQL does not let the user of DATABASE_URL read that.",
            "Grant it SELECT on the tables of clerkwork.",
        )
    if isinstance(error, KafkaError | asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
        return wrong(f"Refused: {kind}.", "See the log of the server that refuses.")
    return wrong(f"The check itself has failed: {kind}.", "Report it to its makers.")
