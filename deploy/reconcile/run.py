"""Run: one comparison, or one after the other, and what cron is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.clerk.find import read_instance
from deploy.errors import OperatorError, explain
from deploy.reconcile import note
from deploy.reconcile.confirm import Ceiling, confirm_deleted_here
from deploy.reconcile.count import count_drift
from deploy.reconcile.drift import ExitCode, Report
from deploy.reconcile.measure import write_metrics
from deploy.reconcile.repair import opened_repair
from deploy.reconcile.repeat import repeat
from deploy.reconcile.sample import sample
from deploy.reconcile.settings import ReconcileSettings
from deploy.reconcile.settle import Patience, note_mended, settle, wait_applied
from deploy.reconcile.show import MOST_SHOWN, show, show_json
from deploy.reconcile.sides import opened_sides
from deploy.reconcile.sweep import Swept, sweep, sweep_changes
from deploy.terminal import is_live
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deploy.reconcile.sides import Sides


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
    async with opened_sides(settings) as sides:
        await require_instance(sides)
        if wishes.sample:
            report = await _sample(sides, wishes)
        else:
            with _progress(console) as progress:
                report = await _compare(sides, wishes, progress)
    return replace(report, seconds=time.monotonic() - began)


async def require_instance(sides: Sides) -> None:
    """Raise OperatorError where CLERK_SECRET_KEY is that of another instance than ours."""
    wanted, found = sides.settings.clerk_instance_id, await read_instance(sides.clerk)
    if wanted and found.id != wanted:
        raise OperatorError(
            f"CLERK_SECRET_KEY is that of {found.id}, and CLERK_INSTANCE_ID says {wanted}: nothing"
            " was compared."
        )


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


async def _compare(sides: Sides, wishes: Wishes, progress: Callable[[str, int], None]) -> Report:
    connection = sides.connection
    watermark = await note.read_watermark(connection) if wishes.incremental else None
    resources = ["users", "organizations", "memberships", "sessions"]
    if watermark is None:
        await note.begin_sweeps(connection, resources)
        swept = await sweep(
            sides, ceiling=wishes.ceiling, sessions=wishes.sessions, progress=progress
        )
    else:
        await note.begin_sweeps(connection, resources[:1])
        since_ms = watermark - int(wishes.overlap_s * 1000)
        swept = await sweep_changes(sides, since_ms=since_ms, progress=progress)
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
        users_here=await note.count_users(connection),
    )
    if not behind:
        await _finish(sides, swept, report, published)
    return report


async def _repair(sides: Sides, wishes: Wishes, swept: Swept) -> tuple[dict[str, int], int]:
    """Mend; return how many records that took, and how many of them are not applied yet."""
    refused = frozenset(refusal.resource for refusal in swept.refusals)
    async with opened_repair(sides, refused=refused, force=wishes.ceiling.force) as repair:
        await repair.publish_all()
    behind = await wait_applied(sides, repair.ends, within_s=wishes.patience.workers_s)
    await note_mended(sides.connection)
    return repair.published, behind


async def _finish(sides: Sides, swept: Swept, report: Report, published: dict[str, int]) -> None:
    """Note how far this run has come: no further than to where nothing is left to mend."""
    left = any(
        drift.left
        for drift in report.drifts
        if drift.resource == "users" and drift.kind in {"missing", "stale"}
    )
    resources = ["users"] if report.mode == "incremental" else [*swept.checked]
    for resource in resources:
        done = note.Sweep(
            resource=resource,
            seen=swept.checked[resource],
            published=published.get(resource, 0),
            cursor=swept.cursor if resource == "sessions" else None,
            changed_until=swept.changed_until if resource == "users" and not left else None,
        )
        await note.finish_sweep(sides.connection, done)


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
    Console(stderr=True, soft_wrap=True).print(reason, markup=False, highlight=False)
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
    report = await reconcile(settings, wishes, console)
    tell = show_json if wishes.as_json else show
    tell(report, console)
    if wishes.metrics_file:
        write_metrics(report, wishes.metrics_file)
    return report


@contextlib.contextmanager
def _progress(console: Console | None) -> Iterator[Callable[[str, int], None]]:
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    off = console is None or not is_live()
    bar = Progress(*columns, BarColumn(), console=console, transient=True, disable=off)
    tasks = {
        resource: bar.add_task(resource, total=None)
        for resource in ("users", "organizations", "memberships", "sessions")
    }
    with bar:
        yield lambda resource, number: bar.advance(tasks[resource], number)
