"""Serve a relay's probes and metrics: it has no other port."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from schema.ops.probes import CheckFailedError, add_probes, serving
from schema.ops.share import share_metrics
from workers.consume import find_trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from prometheus_client import CollectorRegistry

    from workers.relay.lead import Leader

KAFKA_TIMEOUT_S: Final = 1.5


@contextlib.asynccontextmanager
async def serving_probes(
    leader: Leader,
    leading: asyncio.Task[None],
    *,
    registry: CollectorRegistry,
    pool: asyncpg.Pool[asyncpg.Record],
) -> AsyncIterator[None]:
    """Serve `/livez`, `/readyz` and `/metrics` while the context lasts."""

    async def check_loop() -> None:
        if leading.done():
            raise CheckFailedError("the relay's loop has ended")

    async def check_relay() -> str:
        if leader.state is None:
            raise CheckFailedError("neither active nor standing by")
        return leader.state

    async def check_database() -> None:
        if trouble := await find_trouble(pool):
            raise CheckFailedError(f"PostgreSQL does not answer ({trouble})")

    settings = leader.settings
    app = web.Application()
    add_probes(
        app,
        registry=registry,
        live={"loop": check_loop},
        ready={
            "relay": check_relay,
            "kafka": partial(_check_kafka, leader),
            "postgres": check_database,
        },
        share=share_metrics(settings, "relay", registry),
    )
    async with serving(
        app,
        host=settings.relay_metrics_host,
        port=settings.relay_metrics_port,
        reuse_port=settings.metrics_share is not None,
    ):
        yield


async def _check_kafka(leader: Leader) -> None:
    # One that stands by has no producer: it asks as any client would.
    client = AIOKafkaClient(
        **leader.kafka,
        client_id="clerkwork-relay",
        request_timeout_ms=int(KAFKA_TIMEOUT_S * 1000),
    )
    try:
        async with asyncio.timeout(KAFKA_TIMEOUT_S):
            await client.bootstrap()
    except (KafkaError, OSError):
        raise CheckFailedError("Kafka does not answer") from None
    finally:
        await client.close()
