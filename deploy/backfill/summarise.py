"""Say how a backfill begins, what it would do, and what came of it: ids and numbers only."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from deploy.backfill.desk import Desk
    from deploy.backfill.estimate import Estimate
    from deploy.backfill.note import Sweep
    from deploy.backfill.run import Filled
    from deploy.backfill.settle import Outcomes
    from deploy.backfill.sweep import Swept

NAMED: Final = 20
"""How many ids are listed of a kind."""


def tell_beginning(desk: Desk, sweeps: Sequence[Sweep]) -> None:
    """Say whose things are fetched, how fast that may be, and where it goes on."""
    desk.console.print(_tell_source(desk), markup=False)
    for each in sweeps:
        if each.finished_at or each.cursor:
            how = "is through" if each.finished_at else f"goes on after {each.seen}"
            desk.console.print(
                f"A backfill of {each.started_at:%Y-%m-%d %H:%M:%S} UTC broke off:"
                f" {each.resource} {how}. With --restart it begins anew.",
                markup=False,
            )


def tell_estimates(desk: Desk, estimates: Iterable[Estimate]) -> None:
    """Say what there is, and how long it would take."""
    desk.console.print(_tell_source(desk), markup=False)
    seconds = 0.0
    for each in estimates:
        seconds += each.seconds
        desk.console.print(
            f"{each.resource}: {each.at_clerk} at Clerk, {each.here} living ones here;"
            f" {each.requests} requests, about {_spell(each.seconds)}"
        )
    desk.console.print(f"A backfill would take about {_spell(seconds)}. Nothing was published.")


def tell_end(filled: Filled, console: Console) -> None:
    """Say what came of it."""
    for each in filled.swept:
        for line in _tell_swept(each):
            console.print(line, markup=False)
    if filled.left is None:
        console.print("Whether workers have applied it was not waited for.")
    elif filled.left:
        console.print(
            f"{filled.left} records wait for workers, which have applied nothing for a while."
            " Does clerkwork worker run, has it stopped a line (clerkwork line show)? What is"
            " published is safe, and is applied when it runs."
        )
    console.print(
        f"{'All is through' if filled.sound else 'Not all is through'}:"
        f" {_spell(filled.seconds)} in all.",
        markup=False,
    )


def _tell_source(desk: Desk) -> str:
    settings = desk.settings
    return (
        f"Clerk instance {desk.instance.id} ({desk.instance.environment_type}), at most"
        f" {settings.requests_per_10_s} requests in 10 s: {settings.clerk_api_share:.0%} of what"
        f" {settings.kind_of_key} keys are allowed"
    )


def _tell_swept(swept: Swept) -> Iterable[str]:
    sweep = swept.sweep
    unreadable = sweep.seen - sweep.published
    pace = f", {swept.here / swept.seconds:.0f}/s" if swept.here else ""
    yield (
        f"{sweep.resource}: {sweep.seen} seen, {sweep.published} published,"
        f" {unreadable} unreadable; {_spell(swept.seconds)}{pace}"
    )
    for each in swept.unreadable[:NAMED]:
        yield f"  unreadable: {each or 'without an id'}"
    if len(swept.unreadable) > NAMED:
        yield f"  and {len(swept.unreadable) - NAMED} more: the log names them"
    if swept.outcomes:
        yield from _tell_outcomes(swept.outcomes)


def _tell_outcomes(outcomes: Outcomes) -> Iterable[str]:
    counts = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.counts.items()))
    yield f"  in the ledger: {counts or 'nothing'}"
    for each in outcomes.failures:
        about = f" of {each.clerk_user_id}" if each.clerk_user_id else ""
        yield f"  {each.outcome}: {each.event_id}{about}: {each.reason or 'no reason'}"


def _spell(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))
