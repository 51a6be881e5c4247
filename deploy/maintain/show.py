"""Tell what maintenance did, or would do, in a few lines for cron's mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.maintain.run import Upkeep
    from deploy.partitions import Month, Partition


def summarise(upkeep: Upkeep, *, dry_run: bool) -> str:
    """Return what was done, or would be, in nine lines."""
    will = "would be " if dry_run else ""
    erasures, sessions, ledger = upkeep.erasures, upkeep.sessions, upkeep.ledger
    by_status = ", ".join(f"{count} {status}" for status, count in sessions.by_status.items())
    moved = sum(month.events for month in ledger.months)
    rest = ledger.rest
    times = f", of {rest.earliest} to {rest.latest}" if rest.events else ""
    return (
        f"Users {will}erased: {erasures.erased}; deleted, and held back: {erasures.held_back}\n"
        f"Sessions {will}marked expired: {sessions.expired}; abandoned: {sessions.abandoned}\n"
        f"Sessions by status: {by_status or 'none'}\n"
        f"Dead letters {will}forgotten, gone from Kafka: {upkeep.letters.forgotten}\n"
        f"Changes {will}forgotten, published long ago: {upkeep.outbox.forgotten};"
        f" kept: {upkeep.outbox.kept}, of these waiting for the relay: {upkeep.outbox.waiting}\n"
        f"Partitions {will}created: {_list(ledger.months)}\n"
        f"Events {will}moved there from the default partition: {moved}\n"
        f"Partitions {will}dropped: {_list(ledger.expired)};"
        f" as old in the default partition, {will}deleted: {ledger.expired_events}\n"
        f"Left in the default partition: {rest.events}{times}"
    )


def _list(partitions: tuple[Month, ...] | tuple[Partition, ...]) -> str:
    return ", ".join(each.name for each in partitions) or "none"
