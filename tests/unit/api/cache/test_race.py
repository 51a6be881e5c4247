"""However loads, commits and notifications are interleaved, nobody is told what is outdated."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schema.http.errors import HttpError
from tests.unit.api.cache.conftest import Desk, loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.cache.reads import Loaded

TAGS: Final = ("user:1",)


class World:
    """A row, those who ask for it, and a tail that tells of its changes some time later."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.committed = 0
        self.told = 0
        self._reading: deque[asyncio.Future[int]] = deque()
        self._landing: deque[tuple[asyncio.Future[int], int]] = deque()
        self.asking: list[asyncio.Task[None]] = []

    @property
    def steps(self) -> dict[str, Callable[[], None]]:
        """What can happen, in any order."""
        return {
            "ask": self.ask,
            "read": self.read,
            "land": self.land,
            "commit": self.commit,
            "tell": self.tell,
            "lose": self.lose,
            "distrust": self.distrust,
            "trust": self.trust,
        }

    def ask(self) -> None:
        """Somebody asks; they begin with the next turn of the loop."""
        self.asking.append(asyncio.create_task(self._ask()))

    async def _ask(self) -> None:
        known = self.told
        try:
            seen = int((await self.desk.read_by(self._load)).entry.view.body)
        except HttpError as error:
            seen = int(error.message)
        assert seen >= known

    async def _load(self) -> Loaded:
        future = asyncio.get_running_loop().create_future()
        self._reading.append(future)
        seen = await future
        if seen % 3 == 2:  # in every third version the row is not there
            raise HttpError("USER_NOT_FOUND", str(seen))
        return loaded(b"%d" % seen, TAGS)

    def read(self) -> None:
        """The database takes the snapshot of a load."""
        if self._reading:
            self._landing.append((self._reading.popleft(), self.committed))

    def land(self) -> None:
        """What a load has read arrives."""
        if self._landing:
            future, seen = self._landing.popleft()
            future.set_result(seen)

    def commit(self) -> None:
        """The row changes."""
        self.committed += 1

    def tell(self) -> None:
        """The tail reads of the next change."""
        if self.told < self.committed:
            self.told += 1
            self.desk.cache.drop(TAGS)

    def lose(self) -> None:
        """The tail begins anew at its head."""
        self.told = self.committed
        self.desk.cache.drop_all()

    def distrust(self) -> None:
        """The tail is silent."""
        self.desk.trusted_until = 0

    def trust(self) -> None:
        """The tail is back."""
        self.desk.trusted_until = float("inf")

    async def settle(self) -> None:
        """Let everything come to its end."""
        while not all(task.done() for task in self.asking):
            self.read()
            self.land()
            await asyncio.sleep(0)


async def play(script: str) -> None:
    """Play the steps; in between the loop turns only where the script says so."""
    world = World()
    for step in script.split():
        if step == "turn":
            await asyncio.sleep(0)
        else:
            world.steps[step]()
    await world.settle()
    while world.told < world.committed:
        world.tell()
    world.ask()
    await world.settle()
    for task in world.asking:
        task.result()


STEPS: Final = ("turn", *World().steps)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=60).map(" ".join))
# A load reads, the row changes and is told of, the load lands: it may not be kept.
@example("ask turn turn read commit tell land turn turn ask turn")
# Another one comes before it lands: it may not join.
@example("ask turn turn read commit tell ask turn land turn turn turn")
# The other one comes in the very turn in which it lands.
@example("ask turn turn read land ask commit tell ask turn turn turn")
# The row was not there, and is there when the other one comes.
@example("commit commit tell tell ask turn turn read commit tell ask turn land turn turn turn")
# A load reads, and what changes then is not told of, for the tail has lost its place.
@example("ask turn turn read commit lose land turn turn ask turn")
def test_after_a_change_is_told_nobody_gets_what_was_before_it(script: str) -> None:
    """Neither what is kept nor what is being loaded, nor a 404."""
    asyncio.run(play(script))
