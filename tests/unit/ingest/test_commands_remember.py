"""Repeats of a command: told the same, and given once."""

from __future__ import annotations

import asyncio

import pytest

from ingest.commands.remember import MOST_REMEMBERED, REMEMBERED_S, Memory
from schema.http.errors import HttpError


class Giving:
    """Counts how often a command is given; the test decides when it is done, and how."""

    def __init__(self) -> None:
        self.count = 0
        self.may_end = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        """Give it."""
        self.count += 1
        await self.may_end.wait()
        if self.failure:
            raise self.failure
        return self.count


@pytest.fixture
def giving() -> Giving:
    """A command that ends at once."""
    giving = Giving()
    giving.may_end.set()
    return giving


async def test_a_repeat_is_told_the_same(giving: Giving) -> None:
    """It is given once."""
    memory = Memory[int]()

    first = await memory.once("cmd_1", fingerprint=b"a", give=giving)
    second = await memory.once("cmd_1", fingerprint=b"a", give=giving)
    other = await memory.once("cmd_2", fingerprint=b"a", give=giving)

    assert (first, second, other) == ((1, False), (1, True), (2, False))


async def test_repeats_share_what_is_under_way() -> None:
    """Also when the first caller goes: the others get the answer."""
    memory, giving = Memory[int](), Giving()
    calls = [
        asyncio.create_task(memory.once("cmd_1", fingerprint=b"a", give=giving)) for _ in range(5)
    ]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    giving.may_end.set()

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [(1, True)] * 4


async def test_a_failure_is_told_to_all_who_wait_and_forgotten(giving: Giving) -> None:
    """What was not kept can be given again, and be another command then."""
    memory = Memory[int]()
    giving.failure = OSError("away")
    failures = await asyncio.gather(
        *(memory.once("cmd_1", fingerprint=b"a", give=giving) for _ in range(3)),
        return_exceptions=True,
    )
    giving.failure = None

    assert [type(each) for each in failures] == [OSError] * 3
    assert giving.count == 1
    assert await memory.once("cmd_1", fingerprint=b"b", give=giving) == (2, False)


async def test_a_failure_that_nobody_waits_for_is_no_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Python would say that an exception was never retrieved."""
    memory, giving = Memory[int](), Giving()
    call = asyncio.create_task(memory.once("cmd_1", fingerprint=b"a", give=giving))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    giving.failure = OSError("away")
    giving.may_end.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    giving.failure = None
    assert await memory.once("cmd_1", fingerprint=b"a", give=giving) == (2, False)
    assert caplog.records == []


@pytest.mark.parametrize("under_way", [True, False])
async def test_another_command_under_the_key_is_refused(giving: Giving, *, under_way: bool) -> None:
    """Whoever uses a key twice must hear of it."""
    memory = Memory[int]()
    if under_way:
        giving.may_end.clear()
    first = asyncio.create_task(memory.once("cmd_1", fingerprint=b"a", give=giving))
    await asyncio.sleep(0)
    with pytest.raises(HttpError) as caught:
        await memory.once("cmd_1", fingerprint=b"b", give=giving)
    giving.may_end.set()

    assert (caught.value.status, caught.value.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await first == (1, False)


async def test_memory_ends(giving: Giving) -> None:
    """After ten minutes, or under a flood, a repeat is given again."""
    now = 0.0
    memory = Memory[int](clock=lambda: now)
    await memory.once("cmd_1", fingerprint=b"a", give=giving)
    now = REMEMBERED_S + 1

    assert await memory.once("cmd_1", fingerprint=b"a", give=giving) == (2, False)
    for number in range(MOST_REMEMBERED + 5):
        await memory.once(f"cmd_flood_{number}", fingerprint=b"a", give=giving)
    assert len(memory._told) == MOST_REMEMBERED
