"""Run: one comparison, or one after the other, and what cron is told of it."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from rich.console import Console

from deploy.clerk.publish import publishing
from deploy.clerk.sides import opened_sides, require_alone
from deploy.clerk.sweeps import begin_sweeps, note_sweep, read_sweeps
from deploy.clerk.wait import wait_applied
from deploy.errors import OperatorError, explain
from deploy.reconcile.compare import make_room
from deploy.reconcile.confirm import Ceiling, confirm_deleted_here
from deploy.reconcile.count import count_drift, count_users
from deploy.reconcile.drift import ExitCode, Report
from deploy.reconcile.measure import write_metrics
from deploy.reconcile.repair import Repair
from deploy.reconcile.repeat import repeat
from deploy.reconcile.sample import sample
from deploy.reconcile.settings import ReconcileSettings
from deploy.reconcile.settle import Patience, note_mended, settle
from deploy.reconcile.show import MOST_SHOWN, show, show_json
from deploy.reconcile.sweep import Swept, sweep, sweep_changes
from deploy.terminal import complain
from schema.ops.logs import configure_logs
from schema.ops.metrics import DRIFT_KINDS
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.clerk.sides import Sides
    from deploy.clerk.sweeps import Sweep


RESOURCES: Final = tuple(DRIFT_KINDS)
"""What a full run compares; one that is incremental the first alone."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How it is to be done."""

    incremental: bool = False
    sample: int | None = None
    repair: bool = False
    ceiling: Ceiling = field(default_factory=lambda: Ceiling(per_cent=5, force=False))
    patience: Patience = field(default_factory=Patience)
    sessions: int = 300
    overlap_s: float = 600
    every_s: float | None = None
    metrics_file: Path | None = None
    as_json: bool = False

    @property
    def most_ids(self) -> int | None:
        """How many ids of each kind are told, None for all."""
        return None if self.as_json else MOST_SHOWN


async def reconcile(
    settings: ReconcileSettings, wishes: Wishes, console: Console | None = None
) -> Report:
    """Compare once, mend where that is wished, and return what was found.

    Raises OperatorError, and what Clerk's client and the drivers raise; what was mended until then
    stays.
    """
    if wishes.sample and (wishes.repair or wishes.incremental):
        raise OperatorError("A sample only estimates: ask for it without --repair, --incremental.")
    began = time.monotonic()
    quiet = Console(quiet=True)
    async with opened_sides(settings, "reconcile", console=console or quiet) as sides:
        await require_alone(sides)
        await make_room(sides.connection)
        report = await (_sample if wishes.sample else _compare)(sides, wishes)
    return replace(report, seconds=time.monotonic() - began)


async def _sample(sides: Sides, wishes: Wishes) -> Report:
    sampled = await sample(sides, number=wishes.sample or 0, patience=wishes.patience)
    return Report(
        mode="sample",
        seconds=0,
        checked={"users": sum(share.sampled for share in sampled.shares.values())},
        drifts=await count_drift(sides.connection, most_ids=wishes.most_ids),
        unreadable={"users": sampled.unreadable},
        behind=sampled.behind,
        shares=sampled.shares,
    )


async def _compare(sides: Sides, wishes: Wishes) -> Report:
    connection = sides.connection
    known = {each.resource: each for each in await read_sweeps(connection, sides.task)}
    watermark = known["users"].changed_until if wishes.incremental and "users" in known else None
    resources = RESOURCES if watermark is None else RESOURCES[:1]
    begun = await begin_sweeps(connection, sides.task, resources, anew=False)
    if watermark is None:
        cursor = known["sessions"].cursor if "sessions" in known else None
        swept = await sweep(sides, ceiling=wishes.ceiling, sessions=wishes.sessions, cursor=cursor)
    else:
        swept = await sweep_changes(sides, since_ms=watermark - int(wishes.overlap_s * 1000))
    behind = await settle(sides, wishes.patience)
    await confirm_deleted_here(sides)
    published: dict[str, int] = {}
    if wishes.repair and not behind:
        published, behind = await _repair(sides, wishes, swept)
    report = Report(
        mode="full" if watermark is None else "incremental",
        seconds=0,
        checked=dict(swept.checked),
        drifts=await count_drift(connection, most_ids=wishes.most_ids),
        unreadable=dict(swept.unreadable),
        refusals=tuple(swept.refusals),
        behind=behind,
        repaired=wishes.repair,
        published=sum(published.values()),
        users_at_clerk=swept.users_at_clerk,
        users_here=await count_users(connection),
    )
    if not behind:
        for each in begun:
            await _finish(sides, each, swept, report, published)
    return report


async def _repair(sides: Sides, wishes: Wishes, swept: Swept) -> tuple[dict[str, int], int]:
    """Mend; return how many records that took, and how many of them are not applied yet."""
    refused = frozenset(refusal.resource for refusal in swept.refusals)
    async with publishing(sides) as producer:
        repair = Repair(sides=sides, producer=producer, refused=refused, force=wishes.ceiling.force)
        await repair.publish_all()
    behind = await wait_applied(sides, repair.ends, within_s=wishes.patience.workers_s)
    await note_mended(sides.connection)
    return repair.published, behind


async def _finish(
    sides: Sides, sweep: Sweep, swept: Swept, report: Report, published: Mapping[str, int]
) -> None:
    """Note how far this run has come: no further than to where nothing is left to mend."""
    name = sweep.resource
    left = any(
        drift.left
        for drift in report.drifts
        if drift.resource == "users" and drift.kind in {"missing", "stale"}
    )
    done = replace(
        sweep,
        seen=swept.checked[name],
        published=published.get(name, 0),
        cursor=swept.cursor if name == "sessions" else None,
        changed_until=swept.changed_until if name == "users" and not left else None,
    )
    await note_sweep(sides.connection, sides.task, done, finished=True)


def run_reconcile(wishes: Wishes, console: Console) -> int:
    """Compare the environment's database with Clerk, say what was found; see ExitCode.

    Never raises where the environment is at fault: cron tells such from drift by the code.
    """
    try:
        settings = read_settings(ReconcileSettings)
        configure_logs(settings)
        return asyncio.run(_run(settings, wishes, console))
    except SystemExit as error:
        return _refuse(str(error))
    except Exception as error:
        reason = explain(error)
        if reason is None:
            raise
        return _refuse(reason)


def _refuse(reason: str) -> int:
    complain(reason)
    return ExitCode.UNFINISHED


async def _run(settings: ReconcileSettings, wishes: Wishes, console: Console) -> int:
    if wishes.every_s is None:
        return (await compare_and_tell(settings, wishes, console)).exit_code
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    compare = partial(compare_and_tell, settings, wishes, console)
    await repeat(compare, settings, every_s=wishes.every_s, stop=stop)
    return ExitCode.CLEAN


async def compare_and_tell(settings: ReconcileSettings, wishes: Wishes, console: Console) -> Report:
    """Compare once, and say what was found where that is wished."""
    report = await reconcile(settings, wishes, None if wishes.as_json else console)
    tell = show_json if wishes.as_json else show
    tell(report, console)
    if wishes.metrics_file:
        write_metrics(report, wishes.metrics_file)
    return report
