"""Carry out operations in the background: one at a time for each operator, with its progress kept.

The progress is in PostgreSQL. When this process dies, its operations have broken off: the desk, or
`clerkwork dlq replay --resume`, goes on with them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from deploy.database import connected, refusing_in_words
from deploy.desk.find.operations import bound_statements, lock_operator, note
from deploy.errors import OperatorError
from deploy.letters.desk import CLIENT, opened_desk
from deploy.letters.edit import send_edited
from deploy.letters.operate import find_broken, give_back, lock
from deploy.letters.plan import take
from deploy.letters.purge import purge
from deploy.letters.replay import Pace, carry_out
from deploy.line import Place, release

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator

    from deploy.letters.desk import Desk, DeskSettings
    from deploy.letters.operate import Operation
    from deploy.letters.select import Selection
    from deploy.letters.show import Found
    from schema.kafka.producer import Record

log = structlog.get_logger(__name__)

STATEMENT_S: Final = 60.0
"""No statement of an operation takes longer."""
MOST_AT_ONCE: Final = 8
"""More operations are not carried out by one process."""
MOST_PROBLEMS: Final = 200
"""Of how many operations it is remembered why they broke off."""

_BUSY: Final = (
    "Another operation of yours is still being carried out. Wait for its end: it is among the"
    " operations."
)
_FULL: Final = "This desk carries out as much as it can at once. Wait for one of the operations."
_THEIRS: Final = "That operation is being carried out already."
_GOES_ON: Final = "That partition is not stopped any more: somebody has released it."


class Carrier:
    """Begins operations and sees them through."""

    def __init__(self, settings: DeskSettings) -> None:
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self._problems: OrderedDict[uuid.UUID, str] = OrderedDict()

    def problem(self, operation: uuid.UUID) -> str:
        """Return why an operation broke off here; empty where it did not."""
        return self._problems.get(operation, "")

    async def replay(self, selection: Selection, *, operator: str, rate: float | None) -> uuid.UUID:
        """Take letters, and begin to replay them. Raises OperatorError."""
        async with contextlib.AsyncExitStack() as stack:
            desk = await stack.enter_async_context(self._opened(operator))
            operation = await take(desk, selection, operator=operator)
            log.info("replay_begun", user_id=operator, operation=str(operation.id))
            self._carry_on(stack.pop_all(), desk, operation, rate=rate)
        return operation.id

    async def resume(self, operation_id: uuid.UUID, *, operator: str) -> None:
        """Go on with what has broken off. Raises OperatorError where nothing has."""
        async with contextlib.AsyncExitStack() as stack:
            desk = await stack.enter_async_context(self._opened(operator))
            broken = {each.id: each for each in await find_broken(desk.connection)}
            operation = broken.get(operation_id)
            if operation is None:
                raise OperatorError("That operation has nothing left to do.")
            if not await lock(desk.connection, operation.id):
                raise OperatorError(_THEIRS)
            said = {"resume": str(operation.id)}
            await note(desk.connection, operation.action, operator=operator, said=said)
            log.info("operation_resumed", user_id=operator, operation=str(operation.id))
            if operation.action != "replay":
                await give_back(desk.connection, operation)  # an edit: its letter waits as before
                return
            self._carry_on(stack.pop_all(), desk, operation, rate=None)

    async def purge(self, selection: Selection, *, operator: str) -> uuid.UUID:
        """Give letters up. Raises OperatorError."""
        url = self._settings.database_url.get_secret_value()
        with refusing_in_words():
            async with connected(url, name=CLIENT) as connection:
                await bound_statements(connection, seconds=STATEMENT_S)
                operation = await purge(connection, selection, operator=operator)
        log.info("letters_purged", user_id=operator, operation=str(operation.id))
        return operation.id

    async def release(self, line: tuple[str, int], *, allowance: int, operator: str) -> None:
        """Let a stopped partition go on. Raises OperatorError where it is not stopped."""
        url = self._settings.database_url.get_secret_value()
        topic, partition = line
        place = Place(topic=topic, partition=partition)
        with refusing_in_words():
            if not await release(url, place, allowance=allowance, operator=operator):
                raise OperatorError(_GOES_ON)
        log.info("line_released", user_id=operator, topic=topic, partition=partition)

    async def send(self, found: Found, record: Record, *, operator: str) -> uuid.UUID:
        """Send the edited copy of a letter. Raises OperatorError."""
        async with self._opened(operator) as desk:
            operation = await send_edited(desk, found, record=record, operator=operator)
        log.info("letter_edited", user_id=operator, operation=str(operation.id))
        return operation.id

    async def close(self) -> None:
        """Break off what is under way: what is stored is marked, the rest can be resumed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _opened(self, operator: str) -> AsyncIterator[Desk]:
        if len(self._tasks) >= MOST_AT_ONCE:
            raise OperatorError(_FULL)
        async with opened_desk(self._settings) as desk:
            await bound_statements(desk.connection, seconds=STATEMENT_S)
            if not await lock_operator(desk.connection, operator):
                raise OperatorError(_BUSY)
            yield desk

    def _carry_on(
        self,
        opened: contextlib.AsyncExitStack,
        desk: Desk,
        operation: Operation,
        *,
        rate: float | None,
    ) -> None:
        task = asyncio.create_task(self._carry_out(opened, desk, operation, rate=rate))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(
        self,
        opened: contextlib.AsyncExitStack,
        desk: Desk,
        operation: Operation,
        *,
        rate: float | None,
    ) -> None:
        self._problems.pop(operation.id, None)
        try:
            async with opened:
                await carry_out(
                    desk, operation, pace=Pace(per_second=rate), advance=lambda _letters: None
                )
        except OperatorError as error:
            self._note_problem(operation, str(error))
        except Exception as error:
            log.exception("operation_failed", operation=str(operation.id))
            self._note_problem(operation, f"{type(error).__name__}: see the log of the desk.")

    def _note_problem(self, operation: Operation, words: str) -> None:
        log.warning("operation_broken_off", operation=str(operation.id))
        self._problems[operation.id] = words
        if len(self._problems) > MOST_PROBLEMS:
            self._problems.popitem(last=False)


CARRIER: Final = web.AppKey("carrier", Carrier)
"""Where handlers find it."""
