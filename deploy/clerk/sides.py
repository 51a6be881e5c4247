"""The two sides: what Clerk has, and the tables; of each task one works between them at a time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from deploy.clerk.find import read_instance
from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from deploy.letters.operate import who
from schema.clerk.client import opened_clerk
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import asyncpg
    from rich.console import Console

    from deploy.clerk.find import Instance
    from deploy.clerk.settings import SidesSettings
    from schema.clerk.client import Clerk

    Connection = asyncpg.Connection[asyncpg.Record]

Task = Literal["backfill", "reconcile"]

LOCKS: Final[Mapping[Task, int]] = {"backfill": 6241363, "reconcile": 6241364}
"""Task -> the advisory lock by which others of the same database see that it runs."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Whom to ask, and whom to tell."""

    task: Task
    settings: SidesSettings
    clerk: Clerk
    instance: Instance
    connection: Connection
    console: Console

    @property
    def client(self) -> str:
        """What Kafka and PostgreSQL know us by."""
        return name_client(self.task)


def name_client(task: Task) -> str:
    """Return what Kafka and PostgreSQL know a task by."""
    return f"clerkwork-{task}"


@contextlib.asynccontextmanager
async def opened_sides(
    settings: SidesSettings, task: Task, *, console: Console
) -> AsyncIterator[Sides]:
    """Have both sides at hand while the context lasts.

    Raises OperatorError for the key of another instance, and where a server does not answer.
    """
    url = settings.database_url.get_secret_value()
    name = f"{name_client(task)} {who()}"[:63]  # what PostgreSQL keeps of it; it tells who runs
    with refusing_in_words():
        async with opened_clerk(settings) as clerk, connected(url, name=name) as connection:
            yield Sides(
                task=task,
                settings=settings,
                clerk=clerk,
                instance=await _require_instance(clerk, settings.clerk_instance_id),
                connection=connection,
                console=console,
            )


async def _require_instance(clerk: Clerk, expected: str | None) -> Instance:
    instance = await read_instance(clerk)
    if expected and instance.id != expected:
        raise OperatorError(
            f"CLERK_SECRET_KEY is of the instance {instance.id}, CLERK_INSTANCE_ID says {expected}:"
            " nothing was done."
        )
    return instance


async def require_alone(sides: Sides) -> None:
    """Keep others of the same task out while the connection lasts.

    Raises OperatorError: who runs.
    """
    key = LOCKS[sides.task]
    if await sides.connection.fetchval(_SQL["keep_others_out"], key):
        return
    row = await sides.connection.fetchrow(_SQL["who_runs"], key)
    whom = f": {row['name']}" if row else ""
    # Since when, PostgreSQL tells of one's own sessions only.
    if row and row["since"]:
        whom += f", since {row['since']:%Y-%m-%d %H:%M:%S} UTC"
    raise OperatorError(f"Another {sides.task} of this database is running{whom}.")
