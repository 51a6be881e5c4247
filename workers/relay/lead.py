"""Lead: be the one relay that publishes, term after term, and stand by while another one is.

A term is a session of PostgreSQL that holds the lock, and a producer that has fenced all before
it. Whatever goes wrong ends both, and the next term begins with looking where the last one ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from operator import not_
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    ProducerFenced,
)
from tenacity import (
    AsyncRetrying,
    retry_if_result,
    stop_when_event_set,
    wait_random_exponential,
)

from schema.kafka.connections import name_trouble
from workers.classify import NotNowError, not_now_unless_bad
from workers.relay.carry import Carrier
from workers.relay.fetch import CHANNEL
from workers.relay.hold import TRY_EVERY_S, connected, try_to_hold
from workers.relay.note import note_progress, read_progress
from workers.relay.publish import Publisher, publishing
from workers.relay.resume import find_published

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import asyncpg

    from schema.ops.metrics import RelayMetrics
    from workers.relay.publish import Build
    from workers.relay.settings import RelaySettings

    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

BEGIN_TIMEOUT_S: Final = 8.0
"""A term whose beginning takes longer is given up; less than what ends a silent session."""


@dataclass(kw_only=True)
class Leader:
    """Leads whenever nobody else does, until it is told to stop."""

    settings: RelaySettings
    kafka: Mapping[str, Any]
    """How aiokafka's clients connect."""
    metrics: RelayMetrics
    build: Build = Publisher
    """Makes the publisher of a term."""
    state: str | None = None
    """`active` or `standby`, as probes call it; None while it can be neither."""
    carrier: Carrier | None = None
    """What is carried, while it is active."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def position(self) -> int:
        """Up to where it knows all to be published; 0 while another one leads."""
        return self.carrier.position if self.carrier else 0

    def stop(self) -> None:
        """Finish the batch on its way, and let others lead."""
        self._stopping.set()
        self._woken.set()

    async def lead(self) -> None:
        """Return only once it was told to stop. Raises nothing."""
        while not self._stopping.is_set():
            attempts = AsyncRetrying(
                retry=retry_if_result(not_),
                wait=wait_random_exponential(multiplier=0.2, max=3),
                stop=stop_when_event_set(self._stopping),  # type: ignore[arg-type]  # it asks is_set
                sleep=self._rest,
                retry_error_callback=lambda _: None,
            )
            # Until a term has brought something to Kafka; then waits are short again.
            await attempts(self._try_term)

    async def _try_term(self) -> bool:
        """Go through one term, whatever ends it; return whether it brought something to Kafka."""
        carriers: list[Carrier] = []
        begun_at = 0
        try:
            async with self._holding() as connection:
                if connection:
                    async with self._begun(connection) as carrier:
                        carriers.append(carrier)
                        begun_at = carrier.position
                        await self._carry(carrier)
        except (KafkaError, NotNowError) as error:
            self._note_end(_kind(error), error)
        except Exception:
            self.metrics.terms_ended.labels("bug").inc()
            log.exception("relay_failed")
        finally:
            self.state = self.carrier = None
            self.metrics.active.set(0)
        return any(carrier.position > begun_at for carrier in carriers)

    @contextlib.asynccontextmanager
    async def _holding(self) -> AsyncIterator[Connection | None]:
        """Wait for the lock, and hold it; None when there is no more reason to."""
        async with connected(self.settings) as connection:
            while not (held := await try_to_hold(connection)) and not self._stopping.is_set():
                self.state = "standby"
                await self._rest(TRY_EVERY_S)
            yield connection if held and not self._stopping.is_set() else None

    @contextlib.asynccontextmanager
    async def _begun(self, connection: Connection) -> AsyncIterator[Carrier]:
        """Be the only one who can publish, and know where to go on."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(BEGIN_TIMEOUT_S):
                    publisher = await stack.enter_async_context(publishing(self.kafka, self.build))
                    carrier = await self._resume(connection, publisher)
            except (TimeoutError, OSError) as error:
                raise KafkaConnectionError(type(error).__name__) from error
            yield carrier

    async def _resume(self, connection: Connection, publisher: Publisher) -> Carrier:
        noted = await read_progress(connection)
        position = max(noted, await find_published(self.kafka, publisher))
        # Workers give positions above it, also in a database that was restored from a backup.
        await note_progress(connection, position)
        with not_now_unless_bad():
            await connection.add_listener(CHANNEL, lambda *_: self._woken.set())
        connection.add_termination_listener(lambda _: self._woken.set())
        log.info("relay_active", position=position, noted=noted)
        return Carrier(
            connection=connection,
            publisher=publisher,
            metrics=self.metrics,
            limit=self.settings.relay_batch_size,
            position=position,
            woken=self._woken,
            stopping=self._stopping,
        )

    async def _carry(self, carrier: Carrier) -> None:
        self.state, self.carrier = "active", carrier
        self.metrics.active.set(1)
        try:
            await carrier.carry()
        finally:
            # Whoever cannot note it leaves it to the next term, which asks the topics.
            with contextlib.suppress(NotNowError):
                await carrier.note()

    def _note_end(self, kind: str, error: Exception) -> None:
        self.metrics.terms_ended.labels(kind).inc()
        of_postgres = isinstance(error, NotNowError)
        told = str(error) if of_postgres else name_trouble(error, self.kafka)
        log.warning("relay_term_ended", kind=kind, error=told)

    async def _rest(self, seconds: float) -> None:
        """Wait, but not when it is to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _kind(error: Exception) -> str:
    """Return how metrics call what has ended a term."""
    if isinstance(error, (ProducerFenced, InvalidProducerEpoch)):
        return "fenced"
    return "kafka" if isinstance(error, KafkaError) else "postgres"
