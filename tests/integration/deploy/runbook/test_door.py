"""Ingest's secret, strangers, unreadable webhooks, and Redis away, by the runbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from deploy.stack import Process, Program
from deploy.stack.ports import LOOPBACK, free_port
from tests.debian import find_program
from tests.factories import SECRET, new_user_id, user_event
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.deploy.runbook.stage import Stage

OTHER = "whsec_b3RoZXItc2VjcmV0LW9mLWEtdGVzdC1pbnN0YW5jZQ=="
NOBODYS = "whsec_bm9ib2R5cy1zZWNyZXQtb2YtYS10ZXN0LWluc3RhbmNl"


async def test_the_right_secret_lets_webhooks_in_again(stage: Stage) -> None:
    """The probe of the section is refused before, and accepted after."""
    await stage.deploy("ingest", CLERK_WEBHOOK_SIGNING_SECRET=OTHER)
    body = user_event(new_user_id(), at=1)
    refused = await stage.post(body)
    said = await stage.look("ClerkworkSecretWrong")
    stage.configure("ingest", CLERK_WEBHOOK_SIGNING_SECRET=f"{SECRET},{OTHER}")
    cured = await stage.cure("ClerkworkSecretWrong")

    assert refused == 401
    assert 'answer="accepted"} 0.0' in said[0]
    assert 'answer="invalid_signature"} 0.0' not in said[0]
    assert "1 well-formed" in said[1]
    assert "202 accepted" not in said[2]
    assert "202 accepted" in cured
    assert await stage.post(body) == 202


async def test_a_stranger_does_not_keep_genuine_webhooks_out(stage: Stage) -> None:
    """More forgeries than a source may send in a minute, and the section's proof passes."""
    await stage.tell()
    body = user_event(new_user_id(), at=1)
    answers = {await stage.post(body, secret=NOBODYS) for _ in range(70)}
    said = await stage.look("ClerkworkForgeries")
    cured = await stage.cure("ClerkworkForgeries")

    assert answers == {401}
    assert 'answer="invalid_signature"' in said[0]
    assert "202 accepted" in cured


async def test_unreadable_webhooks_are_looked_at_and_given_up(stage: Stage) -> None:
    """They are listed with their reason; given up, none waits."""
    assert await stage.post(b'{"type": 1}') == 202
    waiting = "SELECT count(*) FROM dead_letters WHERE topic = 'clerk.unreadable.dlq'"
    waiting += " AND state = 'open'"
    await until(lambda: stage.database.fetchval(waiting), lambda number: number == 1)
    said = await stage.look("ClerkworkQuarantined")
    await stage.cure("ClerkworkQuarantined")

    assert 'answer="quarantined"} 0.0' not in said[0]
    assert "msg_" in said[1]
    assert await stage.database.fetchval(waiting) == 0


async def test_without_redis_processes_count_by_themselves(stage: Stage, tmp_path: Path) -> None:
    """While it is away everybody is let through; without REDIS_URL limits hold again."""
    port = free_port()
    url = f"redis://{LOOPBACK}:{port}/0"
    stage.shell["REDIS_URL"] = url
    redis = Process(
        Program(
            name="Redis",
            command=[
                find_program("redis-server", package="redis-server"),
                *("--port", str(port), "--bind", LOOPBACK, "--save", ""),
            ],
            log=tmp_path / "redis.log",
        )
    )
    with redis:
        await stage.deploy("api", REDIS_URL=url)
    async with httpx.AsyncClient(base_url=stage.services["api"].url) as client:
        await client.get("/v1/me")
        said = await stage.look("ClerkworkRedisAway")
        for name in ("api", "ingest"):
            stage.configure(name, REDIS_URL="")
        await stage.cure("ClerkworkRedisAway")
        await client.get("/v1/me")
    failures = await stage.value("api", "clerkwork_rate_limit_failures_total")
    allowed = await stage.value("api", "clerkwork_rate_limit_decisions_total", outcome="allowed")

    assert "refused" in said[0]
    assert [line for line in said[1].splitlines() if not line.endswith(" 0.0")]
    assert "clerkwork_rate_limit_failures_total 0.0" not in said[2]
    assert (failures, allowed > 0) == (0, True)
