"""Maintain: users whose time has come, sessions run out, old letters and changes, the ledger.

Made for cron: repeated it does nothing, and of two at once the second leaves the work to the first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from deploy.database import connected, refusing_in_words
from deploy.maintain.erasures import Erasures, erase_due, plan_erasures
from deploy.maintain.ledger import Ledger, Terms, keep_ledger, plan_ledger
from deploy.maintain.letters import Letters, forget_letters, plan_letters
from deploy.maintain.outbox import Outbox, forget_changes, plan_outbox
from deploy.maintain.sessions import Sessions, mark_sessions, plan_sessions
from deploy.maintain.show import summarise
from deploy.partitions import MONTHS_AHEAD, keep_others_out
from schema.ops.logs import configure_logs
from schema.ops.settings import DatabaseSettings, read_settings

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console


class MaintainSettings(DatabaseSettings):
    """What `clerkwork maintain` reads."""

    clerkwork_ledger_months_ahead: int = Field(
        MONTHS_AHEAD, ge=1, le=120, description="months to come that the ledger is prepared for"
    )
    clerkwork_ledger_retention_months: int | None = Field(
        None,
        ge=1,
        le=1200,
        description="whole months before this one that the ledger keeps; unset, it keeps all",
    )
    clerkwork_changes_retention_days: int = Field(
        7,
        ge=1,
        le=3650,
        description="days for which the outbox keeps what is published: who was away from"
        " `/v1/changes` for longer must take a snapshot anew",
    )


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What there is to do, or what was done."""

    erasures: Erasures
    sessions: Sessions
    letters: Letters
    outbox: Outbox
    ledger: Ledger


async def maintain(
    settings: MaintainSettings, *, now: datetime | None = None, dry_run: bool = False
) -> Upkeep | None:
    """Do what there is to do, or only find it out; None when another one is at it.

    The time is the database's. Raises OperatorError and what the driver raises; what was
    done until then stays.
    """
    async with connected(settings.database_url.get_secret_value()) as connection:
        if not (dry_run or await keep_others_out(connection)):
            return None
        moment: datetime = now or await connection.fetchval("SELECT now()")
        keep_from = moment - timedelta(days=settings.clerkwork_changes_retention_days)
        terms = Terms(
            now=moment,
            ahead=settings.clerkwork_ledger_months_ahead,
            retention=settings.clerkwork_ledger_retention_months,
        )
        if dry_run:
            return Upkeep(
                erasures=await plan_erasures(connection, now=moment),
                sessions=await plan_sessions(connection, now=moment),
                letters=await plan_letters(connection, now=moment),
                outbox=await plan_outbox(connection, keep_from=keep_from),
                ledger=await plan_ledger(connection, terms),
            )
        # The ledger last: busy writers can keep it from its locks, and must not keep personal data.
        return Upkeep(
            erasures=await erase_due(connection, now=moment),
            sessions=await mark_sessions(connection, now=moment),
            letters=await forget_letters(connection, now=moment),
            outbox=await forget_changes(connection, keep_from=keep_from),
            ledger=await keep_ledger(connection, terms),
        )


def run_maintain(console: Console, *, dry_run: bool) -> int:
    """Maintain the environment's database, say what was done, return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(MaintainSettings)
    configure_logs(settings)
    with refusing_in_words():
        upkeep = asyncio.run(maintain(settings, dry_run=dry_run))
    if upkeep is None:
        console.print("Another migration or maintenance is running: nothing to do.")
        return 0
    console.print(summarise(upkeep, dry_run=dry_run), markup=False, highlight=False)
    return 0
