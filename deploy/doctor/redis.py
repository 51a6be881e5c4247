"""Redis, where processes count rate limits together: it may be away, and nobody is limited then."""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.doctor.verdict import Verdict, fine, skip, warn, wrong
from schema.ops.variables import find_variable

ANSWER_S: Final = 2.0


async def check_redis() -> Verdict:
    """Look whether Redis answers, where there is to be one."""
    url = find_variable("REDIS_URL")
    if not url:
        return skip("REDIS_URL is not set: each process counts rate limits for itself.")
    try:
        async with Redis.from_url(
            url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
        ) as redis:
            told: Any = await redis.info()
    except (RedisError, OSError, ValueError) as error:
        return wrong(
            f"Redis is not reached ({type(error).__name__}): nobody is limited.",
            "Start it, or correct REDIS_URL.",
        )
    return judge_redis(told)


def judge_redis(told: Any) -> Verdict:
    """Return whether it has room; `told` is what INFO says."""
    version, most = told.get("redis_version"), int(told.get("maxmemory", 0))
    used = int(told.get("used_memory", 0))
    if most and used > 0.9 * most and told.get("maxmemory_policy") == "noeviction":
        return warn(
            f"Redis {version} is full, and refuses to write.",
            "redis-cli CONFIG SET maxmemory-policy volatile-ttl: counts of limits expire anyway.",
        )
    return fine(f"Redis {version}")
