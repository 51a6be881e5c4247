"""Webhooks and their fates: delivered now, later, twice, or never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.deploy.truth.happenings import happen

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from deploy.standin.told import Told
    from deploy.standin.world import World

FATES: Final = {"now": 8, "twice": 3, "late": 5, "lost": 4}
"""What becomes of a webhook -> how often."""


class Post:
    """Between a Clerk whose world changes and whoever is to be told."""

    def __init__(self, world: World, deliver: Callable[[Told], None]) -> None:
        self.world, self._deliver = world, deliver
        self.late: list[Told] = []
        """Webhooks that Clerk has not managed to deliver yet, or will again."""
        self.lost: list[Told] = []
        """Webhooks that it never delivers."""

    def happen(self, chance: random.Random, *, most: int) -> None:
        """Change the world some times; each of its webhooks meets its fate."""
        self.world.advance(chance.choice([0, 0, 0, 3, 1500]))
        for _ in range(chance.randint(1, most)):
            for told in happen(self.world, chance):
                self.send(chance, told)

    def send(self, chance: random.Random, told: Told) -> None:
        """Deliver a webhook now, later, now and later, or never."""
        [fate] = chance.choices(list(FATES), weights=list(FATES.values()))
        if fate in ("now", "twice"):
            self._deliver(told)
        if fate in ("late", "twice"):
            self.late.append(told)
        if fate == "lost":
            self.lost.append(told)

    def arrive(self, chance: random.Random, most: int | None = None) -> None:
        """Deliver some of those that are late, or all, in any order."""
        chance.shuffle(self.late)
        for told in self.late[:most]:
            self._deliver(told)
        del self.late[:most]

    def find_the_lost(self) -> None:
        """Have Clerk deliver later what it never would."""
        self.late += self.lost
        self.lost = []
