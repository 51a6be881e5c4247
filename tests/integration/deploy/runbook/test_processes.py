"""Processes that are down, by the runbook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until

if TYPE_CHECKING:
    from tests.integration.deploy.runbook.stage import Stage


@pytest.mark.parametrize(
    ("alert", "process"),
    [
        ("ClerkworkIngestDown", "ingest"),
        ("ClerkworkApiDown", "api"),
        ("ClerkworkCanarySilent", "canary"),
        ("ClerkworkProcessDown", "worker"),
    ],
)
async def test_what_is_down_is_started(stage: Stage, alert: str, process: str) -> None:
    """The commands say that it is down, the cure starts it, and events come through."""
    await stage.stop(process)
    said = await stage.look(alert)
    await stage.cure(alert)

    assert "onnect" in said[0]
    await stage.until_well()


async def test_a_worker_that_stopped_is_started_and_loses_nothing(stage: Stage) -> None:
    """What came meanwhile is applied."""
    await stage.stop("worker")
    users = [await stage.tell() for _ in range(20)]
    said = await stage.look("ClerkworkWorkerStopped")
    assert not await stage.knows(users[0])
    await stage.cure("ClerkworkWorkerStopped")
    for user in users:
        await stage.until_known(user)

    assert "onnect" in said[0]
    assert re.search(r"\b2\d records wait", said[2])  # canaries too


async def test_lag_ends_when_the_worker_is_started_anew(stage: Stage) -> None:
    """It is 0 again, though it worked on nothing for a while."""
    await stage.stop("worker")
    user = await stage.tell()
    said = await stage.look("ClerkworkLagOld")
    await stage.cure("ClerkworkLagOld")
    await stage.until_known(user)
    await until(lambda: stage.value("worker", "clerkwork_lag_seconds"), lambda lag: lag == 0)

    assert "No line is stopped." in said[2]


async def test_a_relay_takes_over(stage: Stage) -> None:
    """Without one, changes wait; somebody else's session that holds the lock is found by name."""
    await stage.kill("relay")
    user = await stage.tell()
    await stage.until_known(user)
    said = await stage.look("ClerkworkNoActiveRelay")
    await stage.cure("ClerkworkNoActiveRelay")
    active = await until(
        lambda: stage.value("relay", "clerkwork_relay_active"), lambda value: value == 1
    )
    behind = await stage.look("ClerkworkRelayBehind")
    await until(
        lambda: stage.value("relay", "clerkwork_relay_pending_changes"), lambda left: left == 0
    )

    assert "No relay is active" in said[1]
    assert active
    assert "clerkwork_relay_active 1.0" in behind[0]
