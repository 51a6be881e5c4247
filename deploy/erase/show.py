"""Tell the operator where somebody is, and what is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from deploy.erase.remove import Found, Removed
    from deploy.erase.rows import Tables
    from deploy.erase.trails import Trail


def tell_found(found: Found) -> list[str]:
    """Return where somebody is, in lines."""
    lines = [*_tell_tables(found.person.clerk_id, found.tables)]
    lines += [_tell_trail(trail) for trail in found.trails]
    if not found.trails:
        lines.append("No record in Kafka names them.")
    return lines


def _tell_tables(clerk_id: str, tables: Tables) -> Iterator[str]:
    if tables.status is None:
        yield f"The tables do not know {clerk_id}."
    elif tables.is_living:
        yield f"{clerk_id} is {tables.status}: no deletion has come."
    elif tables.erase_at:
        yield (
            f"{clerk_id} was deleted at {tables.deleted_at}; the data is held back until"
            f" {tables.erase_at}."
        )
    else:
        yield f"{clerk_id} was deleted at {tables.deleted_at}: the row is a tombstone."
    for name, rows in tables.rows.items():
        yield f"{name}: {rows} rows"
    for name in tables.copies:
        yield f"The schema {name} has tables of before a rebuild: DROP SCHEMA {name} CASCADE."


def _tell_trail(trail: Trail) -> str:
    place = f"{trail.place.topic}/{trail.place.partition}: {trail.count} records"
    if not trail.is_compacted:
        first, last = trail.kept_until
        return f"{place}; retention takes them after {_date(first)}, by {_date(last)}"
    if trail.untold:
        return f"{place}; null is not told yet of {len(trail.untold)} keys"
    return f"{place}; null was told, compaction takes them within a day of writing"


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def tell_consequences(found: Found) -> str:
    """Return what else goes, for the operator to agree to."""
    bystanders = sum(trail.bystanders for trail in found.removable)
    return (
        f"Remove all of it? From {len(found.removable)} partitions {bystanders} older records of"
        " others go too: all are applied, and dead letters that wait are kept; but clerkwork"
        " rebuild refuses from then on, and a backup of before cannot catch up: make a new one."
    )


def tell_removed(removed: Removed) -> list[str]:
    """Return what was done and why something was left, in lines."""
    lines = [f"{removed.cut} partitions are cut; {removed.carried} letters of others are kept."]
    lines += [
        f"{place.topic}/{place.partition} is left: {', '.join(sorted(names))} has not passed it."
        " Try again once it has; a group that nobody uses any more, delete in Kafka."
        for place, names in removed.behind.items()
    ]
    lines += [
        f"{place} is in the way: it waits and names them, or an operation has taken it. Look at it"
        f" with clerkwork dlq show {place}, then replay or purge it."
        for place in removed.obstacles
    ]
    return lines
