"""Backfill: publish all that Clerk has, wait until it is applied, and say what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import uvloop

from deploy.backfill.estimate import estimate
from deploy.backfill.outcomes import read_outcomes
from deploy.backfill.settings import BackfillSettings
from deploy.backfill.summarise import tell_beginning, tell_end, tell_estimates
from deploy.backfill.sweep import sweep_through
from deploy.clerk.publish import publishing
from deploy.clerk.resources import RESOURCES
from deploy.clerk.show import showing
from deploy.clerk.sides import opened_sides, require_alone
from deploy.clerk.sweeps import begin_sweeps, goes_on, read_sweeps
from deploy.clerk.wait import read_ends, wait_applied
from deploy.signals import INTERRUPTED, interruptible
from deploy.terminal import is_live
from schema.clerk.client import ClerkUnavailableError
from schema.kafka.mend import mend_connections
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from rich.console import Console

    from deploy.backfill.sweep import Swept
    from deploy.clerk.resources import Name, Resource
    from deploy.clerk.sides import Sides
    from deploy.clerk.sweeps import Sweep

PATIENCE_S: Final = 60.0
"""How long workers may apply nothing before nobody waits for them any more."""

_GO_ON: Final = "What is published is noted: run clerkwork backfill again, and it goes on."


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How it is to be done."""

    only: tuple[Name, ...] = ()
    """What to publish; everything unless given."""
    restart: bool = False
    """Do not go on with a backfill that broke off."""
    wait: bool = True
    """Wait until workers have applied everything."""
    dry_run: bool = False

    @property
    def resources(self) -> list[Resource]:
        """What to publish, in order."""
        return [each for each in RESOURCES if not self.only or each.name in self.only]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What came of a backfill."""

    swept: tuple[Swept, ...]
    left: int | None
    """Records that workers have not passed; None where nobody waited for them."""
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether everything is through, as far as anybody looked."""
        return not self.left and all(each.sound for each in self.swept)


async def backfill(settings: BackfillSettings, wishes: Wishes, console: Console) -> Filled:
    """Publish what is wished for, and wait for the workers unless that is not wished.

    Raises OperatorError, and what the client and the driver raise; what was published until then
    is noted.
    """
    began_s = time.monotonic()
    async with opened_sides(settings, "backfill", console=console) as sides:
        await require_alone(sides)
        sweeps = await _begin(sides, wishes)
        tell_beginning(sides, sweeps)
        async with publishing(sides) as producer:
            swept = [
                await sweep_through(sides, producer, resource, sweep)
                for resource, sweep in zip(wishes.resources, sweeps, strict=True)
            ]
        left = None
        if wishes.wait:
            left = await _wait(sides)
            swept = [await _with_outcomes(sides, each) for each in swept]
    return Filled(swept=tuple(swept), left=left, seconds=time.monotonic() - began_s)


async def _begin(sides: Sides, wishes: Wishes) -> list[Sweep]:
    """Return the sweeps to make, and those already made by a backfill that broke off."""
    names: list[str] = [each.name for each in wishes.resources]
    known = [] if wishes.restart else await read_sweeps(sides.connection, sides.task)
    sweeps = {each.resource: each for each in goes_on(known, names)}
    new = [name for name in names if name not in sweeps]
    for each in await begin_sweeps(sides.connection, sides.task, new, anew=True):
        sweeps[each.resource] = each
    return [sweeps[name] for name in names]


async def _wait(sides: Sides) -> int:
    """Wait until everything is applied that is published by now; return what is not."""
    ends = await read_ends(sides)
    with showing("applying", sides.console) as course:
        return await wait_applied(sides, ends, idle_s=PATIENCE_S, tell=course.left)


async def _with_outcomes(sides: Sides, swept: Swept) -> Swept:
    outcomes = await read_outcomes(sides.connection, swept.resource.kind, swept.sweep)
    return replace(swept, outcomes=outcomes)


async def rehearse(settings: BackfillSettings, wishes: Wishes, console: Console) -> None:
    """Say what there is to publish and how long that would take; publish nothing."""
    async with opened_sides(settings, "backfill", console=console) as sides:
        tell_estimates(sides, await estimate(sides, wishes.resources))


def run_backfill(wishes: Wishes, console: Console) -> int:
    """Backfill from the environment's Clerk, and say what came of it.

    Returns 0 when everything is through. Raises OperatorError, and SystemExit when the
    environment is not valid.
    """
    settings = read_settings(BackfillSettings)
    # Lines between would tear the bar.
    level = {"log_level": "ERROR"} if is_live() else {}
    configure_logs(settings.model_copy(update=level))
    mend_connections()
    try:
        with interruptible():
            if wishes.dry_run:
                uvloop.run(rehearse(settings, wishes, console))
                return 0
            filled = uvloop.run(backfill(settings, wishes, console))
    except KeyboardInterrupt:
        console.print(f"Interrupted. {_GO_ON}")
        return INTERRUPTED
    except ClerkUnavailableError:
        console.print(_GO_ON)
        raise
    tell_end(filled, console)
    return 0 if filled.sound else 1
