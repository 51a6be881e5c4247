"""Fill the shadow: decode what Kafka holds and apply it, with the workers' own code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from deploy.errors import OperatorError
from deploy.rebuild.fetch import Tape
from deploy.rebuild.shadow import SHADOW
from schema.postgres.statements import read_statements
from workers.apply import Policy, apply
from workers.classify import NotNowError
from workers.decode import decode
from workers.erase import erase_users
from workers.project.users import DeletionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import asyncpg
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from deploy.rebuild.fetch import Record
    from deploy.rebuild.reach import Reach
    from workers.record import Applied

    Pooled = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

FOR_EVER: Final = timedelta(days=36_500)
"""Nobody is erased by the filling itself: it cannot know who is held back."""
FORGET_EVERY: Final = 50
"""After so many batches the ledger of the shadow, which nobody reads, is emptied."""

_SQL: Final = read_statements(__file__)


@dataclass(kw_only=True)
class Fill:
    """What was applied to the shadow so far."""

    pool: asyncpg.Pool[asyncpg.Record]
    tape: Tape
    reach: Reach
    history_limit: int
    release: str
    """The statement that lets go of those who are erased in the live tables too."""
    records: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Why events could not be applied -> how many."""
    batches: int = 0

    async def fill_to(
        self, ends: Mapping[TopicPartition, int], advance: Callable[[int], Any] = int
    ) -> None:
        """Apply what lies before `ends` and was not applied yet, exactly that.

        `advance` is told of each batch. Raises OperatorError.
        """
        async for records in self.tape.read_to(ends):
            await self._apply(records)
            advance(len(records))

    async def _apply(self, records: Sequence[Record]) -> None:
        policy = Policy(erase_after=FOR_EVER, history_limit=self.history_limit, telling=False)
        events = [decode(record) for record in records]
        try:
            applied = await apply(self.pool, events, policy, self._erase)
        except NotNowError as error:
            raise OperatorError(
                f"PostgreSQL does not take the rows now ({type(error).__name__}: {error})."
                " Nothing was changed: run this again."
            ) from error
        self.records += len(applied)
        self.failed.update(_reason(each) for each in applied if each.error_class)
        self.batches += 1
        if self.batches % FORGET_EVERY == 0:
            await self.pool.execute(_SQL["forget_ledger"])

    async def _erase(self, connection: Pooled, applied: Sequence[Applied]) -> None:
        """Erase at once who is erased in the live tables: nothing of theirs may be stored again.

        Raises OperatorError, by which the batch is undone, where it was not the shadow's.
        """
        if await connection.fetchval(_SQL["read_schema"]) != SHADOW:
            raise OperatorError(
                "Something between here and PostgreSQL drops search_path, such as PgBouncer: give"
                " DATABASE_URL the server's own address. Nothing was changed."
            )
        ended = {
            row.id for each in applied for row in each.event.rows if isinstance(row, DeletionRow)
        }
        if ended:
            rows = await connection.fetch(self.release, list(ended))
            await erase_users(connection, [row["id"] for row in rows])


async def open_fill(
    connection: asyncpg.Connection[asyncpg.Record],
    pool: asyncpg.Pool[asyncpg.Record],
    consumer: AIOKafkaConsumer,
    reach: Reach,
    *,
    history_limit: int,
) -> Fill:
    """Return an empty fill; `connection` sees the live tables."""
    release = await connection.fetchval(_SQL["spell_release"], _SQL["release_erased"])
    return Fill(
        pool=pool,
        tape=Tape(consumer, reach.starts),
        reach=reach,
        history_limit=history_limit,
        release=release,
    )


def _reason(applied: Applied) -> str:
    return f"{applied.error_class}: {applied.reason}"
