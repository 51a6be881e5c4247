"""Guests in the workers' group, who only come and go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer

from schema.kafka.topics import GROUP, ORG_EVENTS, USER_EVENTS

if TYPE_CHECKING:
    import random


async def join_and_leave(bootstrap_servers: str, chance: random.Random, *, times: int) -> None:
    """Join the workers' group, take partitions away from them, leave, and again."""
    for _ in range(times):
        guest = AIOKafkaConsumer(
            USER_EVENTS.name,
            ORG_EVENTS.name,
            bootstrap_servers=bootstrap_servers,
            group_id=GROUP,
            enable_auto_commit=False,
            rebalance_timeout_ms=30_000,
        )
        try:
            await guest.start()
            await asyncio.sleep(chance.uniform(0, 0.3))
        finally:
            await guest.stop()
        await asyncio.sleep(chance.uniform(0, 0.3))
