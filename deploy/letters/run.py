"""What each command of `clerkwork dlq` does, on the servers of the environment.

Every function here returns the exit code, and raises OperatorError, or SystemExit when the
environment is not valid.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.database import connected, refusing_in_words
from deploy.letters.ask import UNASKED, agree
from deploy.letters.count import count_letters, tell_statistics
from deploy.letters.desk import CLIENT, Desk, DeskSettings, opened_desk
from deploy.letters.list import find_letters, tell_letters
from deploy.letters.operate import find_broken, give_back, list_operations, lock
from deploy.letters.plan import Plan, plan_replay, take
from deploy.letters.purge import plan_purge, purge
from deploy.letters.replay import Pace, carry_out
from deploy.letters.review import tell_operations
from deploy.signals import INTERRUPTED
from deploy.terminal import is_live
from schema.ops.logs import configure_logs
from schema.ops.settings import DatabaseSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    import asyncpg
    from rich.console import Console

    from deploy.letters.operate import Operation
    from deploy.letters.select import Selection

    T = TypeVar("T")
    Connection = asyncpg.Connection[asyncpg.Record]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How something is to be done."""

    dry_run: bool = False
    yes: bool = False
    """Do not ask."""
    rate: float | None = None
    """Letters each second."""


def run_list(selection: Selection, *, limit: int, as_json: bool, console: Console) -> int:
    """Print the newest letters."""
    rows = _with_database(lambda connection: find_letters(connection, selection))
    tell_letters(rows, limit=limit, as_json=as_json, console=console)
    return 0


def run_stats(selection: Selection, *, as_json: bool, console: Console) -> int:
    """Print how many letters there are, of what kind, and when they died."""
    found = _with_database(lambda connection: count_letters(connection, selection))
    tell_statistics(found, as_json=as_json, console=console)
    return 0


def run_audit(*, limit: int, as_json: bool, console: Console) -> int:
    """Print the newest operations."""
    rows = _with_database(lambda connection: list_operations(connection, most=limit))
    tell_operations(rows, as_json=as_json, console=console)
    return 0


def run_purge(selection: Selection, wishes: Wishes, *, console: Console) -> int:
    """Give letters up, after asking where they are many."""
    planned = _with_database(lambda connection: plan_purge(connection, selection))
    if wishes.dry_run:
        console.print(f"{planned} letters would be purged.")
    elif planned <= UNASKED or agree(f"Purge {planned} letters?", yes=wishes.yes):
        done = _with_database(lambda connection: purge(connection, selection))
        console.print(f"{done.done} letters are purged.")
    return 0


def run_replay(selection: Selection, wishes: Wishes, *, console: Console) -> int:
    """Replay letters, after asking where they are many."""

    async def plan(desk: Desk) -> Plan:
        return await plan_replay(desk.connection, desk.consumer, selection)

    async def act(desk: Desk) -> None:
        await _carry_out(desk, await take(desk, selection), wishes=wishes, console=console)

    planned = _with_desk(plan)
    console.print(_tell_plan(planned))
    if wishes.dry_run or not planned.taken:
        return 0
    if planned.taken <= UNASKED or agree(f"Replay {planned.letters} letters?", yes=wishes.yes):
        return _interruptible(act, console)
    return 0


def run_resume(wishes: Wishes, console: Console) -> int:
    """Carry on what a crash has left; what another process is at is left to that."""

    async def act(desk: Desk) -> None:
        broken = await find_broken(desk.connection)
        for operation in broken:
            if not await lock(desk.connection, operation.id):
                console.print(f"{operation.id} is being carried out by another process.")
            elif wishes.dry_run:
                left = operation.planned - operation.done
                console.print(f"{left} letters are left of the {operation.action} {operation.id}.")
            elif operation.action == "replay":
                await _carry_out(desk, operation, wishes=wishes, console=console)
            else:
                await give_back(desk.connection, operation)
                console.print(f"The edit {operation.id} broke off: its letter waits as before.")
        if not broken:
            console.print("Nothing was broken off.")

    return _interruptible(act, console)


def _interruptible(act: Callable[[Desk], Awaitable[None]], console: Console) -> int:
    """Do something with both servers, and say how to go on after Ctrl-C; return the exit code."""
    try:
        _with_desk(act)
    except KeyboardInterrupt:
        console.print("Interrupted. Go on with clerkwork dlq replay --resume.")
        return INTERRUPTED
    return 0


def _with_database(act: Callable[[Connection], Awaitable[T]]) -> T:
    """Return what is done with a connection to the environment's database."""
    url = read_settings(DatabaseSettings).database_url.get_secret_value()

    async def run() -> T:
        async with connected(url, name=CLIENT) as connection:
            return await act(connection)

    with refusing_in_words():
        return asyncio.run(run())


def _with_desk(act: Callable[[Desk], Awaitable[T]]) -> T:
    """Return what is done with both servers of the environment."""
    settings = read_settings(DeskSettings)
    # That Kafka is reached need not be told; that it is not is told in words.
    configure_logs(settings.model_copy(update={"log_level": "ERROR"}))

    async def run() -> T:
        async with opened_desk(settings) as desk:
            return await act(desk)

    return asyncio.run(run())


async def _carry_out(desk: Desk, operation: Operation, *, wishes: Wishes, console: Console) -> None:
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not is_live())
    task = bar.add_task("replaying", total=operation.planned, completed=operation.done)
    with bar:
        done = await carry_out(
            desk,
            operation,
            pace=Pace(per_second=wishes.rate),
            advance=lambda letters: bar.advance(task, letters),
        )
    console.print(f"{done.replayed} letters are replayed, operation {operation.id}.")
    if done.gone:
        console.print(f"{done.gone} are marked as purged: Kafka does not have them any more.")


def _tell_plan(plan: Plan) -> str:
    lines = [f"{plan.letters} letters to replay."]
    if plan.gone:
        lines.append(f"{plan.gone} to mark as purged: Kafka does not have them any more.")
    if plan.astray:
        lines.append(
            f"{plan.astray} stay: they do not come from a topic that is consumed here."
            " clerkwork dlq edit sends what it makes readable to the right one."
        )
    return "\n".join(lines)
