"""Present events as view models: rows of a list, and the steps of a trace. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from deploy.desk.models.events import EventRow, Step
from deploy.desk.models.frame import Fact
from deploy.desk.present import event_url, letter_url, user_url
from deploy.letters.tell import one_line
from schema.kafka.changes import is_canary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deploy.desk.find.arrivals import Arrival
    from deploy.trace import Trace

    Row = Mapping[str, Any]

GOOD: Final = ("applied", "stale", "ignored")
"""Outcomes of events with which all is well."""


def present_event(row: Row) -> EventRow:
    """Return an event of the ledger as a list shows it."""
    return EventRow(
        event_id=row["event_id"],
        type=one_line(row["type"]),
        user=one_line(row["clerk_user_id"]),
        received_at=row["received_at"],
        applied_at=row["applied_at"],
        seconds=_seconds(row),
        outcome=row["outcome"],
        reason=one_line(row["reason"]),
        place=f"{row['topic']}/{row['partition']}/{row['offset']}",
        canary=is_canary(row["clerk_user_id"] or ""),
        url=event_url(row["event_id"]),
        user_url=user_url(row["clerk_user_id"]),
    )


def present_arrival(arrival: Arrival, known: Row | None) -> EventRow:
    """Return an arrival as a list shows it, with what the ledger says of it."""
    outcome, reason = ("dead", arrival.fault) if arrival.fault else ("waiting", "")
    if known:
        outcome, reason = known["outcome"], known["reason"]
    return EventRow(
        event_id=one_line(arrival.event_id),
        type=one_line(arrival.type),
        user=one_line(arrival.user),
        received_at=arrival.at,
        applied_at=known["applied_at"] if known else None,
        seconds=_seconds(known) if known else None,
        outcome=outcome,
        reason=one_line(reason),
        place=f"{arrival.topic}/{arrival.partition}/{arrival.offset}",
        canary=is_canary(arrival.user),
        url=event_url(arrival.event_id),
        user_url=user_url(arrival.user),
    )


def present_steps(found: Trace, *, told: Sequence[Row]) -> list[Step]:
    """Return what happened to an event, in its order."""
    first = found.ledger[0]["received_at"] if found.ledger else None
    steps = [step for row in found.ledger for step in _ledger_steps(row)]
    steps += [step for row in found.letters for step in _letter_steps(row, first)]
    steps += [_operation_step(row, first) for row in found.operations]
    steps += [step for row in told for step in _told_steps(row, first)]
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(steps, key=lambda step: step.at or latest)


def _ledger_steps(row: Row) -> Iterator[Step]:
    received = row["received_at"]
    place = Fact(name="in Kafka", value=f"{row['topic']}/{row['partition']}/{row['offset']}")
    yield Step(
        name="received",
        title="Received by ingest, its signature right",
        at=received,
        state="good",
        after_s=0.0,
        facts=tuple(_facts(type=row["type"], user=row["clerk_user_id"])),
        url=user_url(row["clerk_user_id"]),
    )
    yield Step(
        name="stored", title="Stored", at=received, state="good", after_s=0.0, facts=(place,)
    )
    outcome = row["outcome"]
    state: Literal["good", "bad", "waiting"] = "good" if outcome in GOOD else "bad"
    yield Step(
        name="worked",
        title=_OUTCOMES[outcome],
        at=row["applied_at"],
        state="waiting" if outcome == "retrying" else state,
        after_s=_seconds(row),
        facts=tuple(_facts(outcome=outcome, reason=row["reason"])),
    )


_OUTCOMES: Final[Mapping[str, str]] = {
    "applied": "Applied to the tables",
    "stale": "Nothing to do: something newer was there",
    "ignored": "Nothing to do: a type that changes nothing here",
    "retrying": "Waits in a retry topic",
    "dead": "Set aside as a dead letter",
    "refused": "Refused: its user may not do that",
}


def _letter_steps(row: Row, first: datetime | None) -> Iterator[Step]:
    because = " ".join(filter(None, (row["error_class"], row["error_code"], row["reason"])))
    yield Step(
        name="died",
        title="Became a dead letter",
        at=row["dead_at"],
        state="bad" if row["state"] in {"open", "parked", "purged"} else "neutral",
        after_s=_after(first, row["dead_at"]),
        facts=tuple(
            _facts(
                because=because,
                attempts=row["attempts"],
                replays=row["replays"],
                state=row["state"],
                letter=f"{row['topic']}/{row['partition']}/{row['offset']}",
            )
        ),
        url=letter_url(row),
    )


_DONE: Final[Mapping[str, str]] = {
    "replay": "Replayed",
    "edit": "Edited and sent anew",
    "purge": "Given up",
}


def _operation_step(row: Row, first: datetime | None) -> Step:
    return Step(
        name="replayed",
        title=_DONE.get(row["action"], one_line(row["action"])),
        at=row["started_at"],
        state="neutral",
        after_s=_after(first, row["started_at"]),
        facts=tuple(_facts(by=row["operator"])),
        url=f"/operations/{row['id']}",
    )


def _told_steps(row: Row, first: datetime | None) -> Iterator[Step]:
    at = datetime.fromtimestamp(row["position"] / 1e6, UTC)
    what = tuple(_facts(type=row["type"], topic=row["topic"], position=row["position"]))
    yield Step(
        name="told",
        title="Told in the outbox",
        at=at,
        state="good",
        after_s=_after(first, at),
        facts=what,
    )
    if row["published"] is not None and row["published"] >= row["position"]:
        yield Step(
            name="published",
            title=f"Published to {row['topic']}",
            at=None,
            state="good",
            after_s=None,
            facts=(),
        )
    else:
        yield Step(
            name="published",
            title=f"Not yet noted as published to {row['topic']}",
            at=None,
            state="waiting",
            after_s=None,
            facts=(),
        )


def _facts(**said: object) -> Iterator[Fact]:
    for name, value in said.items():
        if value not in {None, ""}:
            yield Fact(name=name, value=one_line(value))


def _seconds(row: Row) -> float | None:
    return _after(row["received_at"], row["applied_at"])


def _after(first: datetime | None, at: datetime) -> float | None:
    return max(0.0, (at - first).total_seconds()) if first else None
