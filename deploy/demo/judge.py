"""Judge the evidence: each promise, what it lets one expect, what was found. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.demo.plan import Fate
from deploy.demo.predict import predict_users, winners
from deploy.demo.present import present
from schema.kafka.topics import UNREADABLE, USER_EVENTS, dead_letter_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.demo.collect import Evidence, Kept
    from deploy.demo.plan import Plan, Webhook
    from deploy.demo.predict import Row

PERSONAL: Final = ("email", "first_name", "last_name", "username", "image_url", "external_id")
IN_THE_LEDGER: Final = (Fate.USER, Fate.OTHER, Fate.DEAD)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One promise, held or broken."""

    promise: str
    expected: str
    found: str
    differences: Sequence[str]
    """What is not as expected, a line each; none where the promise was held."""

    @property
    def held(self) -> bool:
        """Whether it was held."""
        return not self.differences


def judge(plan: Plan, evidence: Evidence) -> list[Finding]:
    """Return a finding for every promise."""
    rows = predict_users(plan.webhooks)
    return [
        only_clerk_gets_in(evidence),
        a_2xx_means_safe(evidence),
        one_result(rows, evidence),
        deleted_stay_deleted(rows, evidence),
        a_crash_loses_nothing(plan, evidence),
        every_event_is_accounted_for(plan, evidence),
        one_bad_event_stops_nobody(plan, evidence),
        unreadable_ones_are_kept(plan, evidence),
        codes_go_no_further(plan, evidence),
        the_api_tells_it(rows, evidence, reader=plan.reader),
    ]


def only_clerk_gets_in(evidence: Evidence) -> Finding:
    """Judge whether every forgery was answered 401 and left no trace."""
    forged = [each for each in evidence.delivered if each.webhook.fate is Fate.REFUSED]
    traces = {kept.event_id for kept in (*evidence.records, *evidence.letters)}
    traces |= {event_id for event_id, _ in evidence.ledger}
    answers = {f"{each.answer.status} {each.answer.code}" for each in forged}
    found_traces = [each.webhook.event_id for each in forged if each.webhook.event_id in traces]
    return Finding(
        promise="Only Clerk gets in",
        expected=f"{len(forged)} forged: 401 INVALID_SIGNATURE, no trace",
        found=f"{', '.join(sorted(answers))}, {len(found_traces) or 'no'} trace",
        differences=[
            *(f"a forgery was answered {each}" for each in answers - {"401 INVALID_SIGNATURE"}),
            *(f"{event_id} was forged and kept" for event_id in found_traces),
        ],
    )


def a_2xx_means_safe(evidence: Evidence) -> Finding:
    """Judge whether all else was answered 202, and lies where the answer says, as it was sent."""
    kept: dict[tuple[object, ...], Kept] = {
        (each.topic, each.partition, each.offset): each
        for each in (*evidence.records, *evidence.letters)
    }
    rightful = [each for each in evidence.delivered if each.webhook.fate is not Fate.REFUSED]
    accepted = [each for each in rightful if each.answer.status == 202]
    stored = 0
    differences = [
        f"{each.webhook.event_id} was answered {each.answer.status} {each.answer.code}"
        for each in rightful
        if each.answer.status != 202
    ]
    for each in accepted:
        answer = each.answer.body
        place = (answer.get("topic"), answer.get("partition"), answer.get("offset"))
        if _is(kept.get(place), each.webhook):
            stored += 1
        else:
            differences.append(f"{each.webhook.event_id} is not as sent at {place}")
    return Finding(
        promise="A 2xx means it is safe",
        expected=f"{len(rightful)} answers of 202, each in Kafka as sent",
        found=f"{len(accepted)} answers of 202, {stored} in Kafka as sent",
        differences=differences,
    )


def _is(kept: Kept | None, webhook: Webhook) -> bool:
    # Redaction takes the code out, so these differ; `codes_go_no_further` looks at them.
    return (
        kept is not None
        and kept.event_id == webhook.event_id
        and (webhook.code is not None or kept.value == webhook.body)
    )


def one_result(rows: Mapping[str, Row], evidence: Evidence) -> Finding:
    """Judge whether `users` is, to the last column, what the set of events says."""
    found = {row["clerk_id"]: row for row in evidence.users}
    return Finding(
        promise="Any order, any number of times, one result",
        expected=f"{len(rows)} users, equal in every column",
        found=f"{sum(found.get(key) == row for key, row in rows.items())} of {len(found)} equal",
        differences=_compare(rows, found),
    )


def deleted_stay_deleted(rows: Mapping[str, Row], evidence: Evidence) -> Finding:
    """Judge whether who was deleted is a tombstone with nothing personal, whatever came later."""
    deleted = {key for key, row in rows.items() if row["status"] == "deleted"}
    tombstones = [row for row in evidence.users if row["status"] == "deleted"]
    differences = [
        f"{row['clerk_id']} still has {name}"
        for row in tombstones
        for name in (*PERSONAL, "public_metadata")
        if row[name]
    ]
    risen = deleted ^ {row["clerk_id"] for row in tombstones}
    return Finding(
        promise="The deleted stay deleted",
        expected=f"{len(deleted)} tombstones, nothing personal",
        found=f"{len(tombstones)} tombstones, {len(differences) or 'nothing'} personal",
        differences=[*differences, *(f"{key} is wrongly deleted or not" for key in sorted(risen))],
    )


def a_crash_loses_nothing(plan: Plan, evidence: Evidence) -> Finding:
    """Judge whether every event is in the ledger, though the worker was killed in mid-stream."""
    events = [each.event_id for each in plan.webhooks if each.fate in IN_THE_LEDGER]
    known = {event_id for event_id, _ in evidence.ledger}
    lost = [event_id for event_id in events if event_id not in known]
    crash = evidence.crash
    return Finding(
        promise="A crash loses nothing",
        expected=f"SIGKILL after {crash.sent} webhooks, 0 of {len(events)} lost",
        found=f"{crash.waiting} records had waited, {len(lost)} lost",
        differences=[f"{event_id} is lost" for event_id in lost],
    )


def every_event_is_accounted_for(plan: Plan, evidence: Evidence) -> Finding:
    """Judge whether the ledger has each event once, with what became of it."""
    planned = {each.event_id: each for each in plan.webhooks if each.fate in IN_THE_LEDGER}
    deciding = winners(plan.webhooks)
    times = Counter(event_id for event_id, _ in evidence.ledger)
    outcomes = Counter(outcome for _, outcome in evidence.ledger)
    differences = [f"{event_id} stands there {n} times" for event_id, n in times.items() if n > 1]
    for event_id, outcome in evidence.ledger:
        allowed = _outcomes(planned.get(event_id), decides=event_id in deciding)
        if outcome not in allowed:
            differences.append(f"{event_id} is {outcome}, not {' or '.join(allowed) or 'planned'}")
    differences += [f"{event_id} is missing" for event_id in planned.keys() - times.keys()]
    fates = Counter(each.fate for each in planned.values())
    return Finding(
        promise="“Where is my webhook?” has an answer",
        expected=", ".join(f"{fates[fate]} {fate.value}" for fate in IN_THE_LEDGER),
        found=", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items())),
        differences=differences,
    )


def _outcomes(webhook: Webhook | None, *, decides: bool) -> tuple[str, ...]:
    """Return what may have become of it: what arrives late is stale, and late is up to chance."""
    if webhook is None:
        return ()
    if webhook.fate is Fate.USER:
        return ("applied",) if decides else ("applied", "stale")
    return (webhook.fate.value,)


def one_bad_event_stops_nobody(plan: Plan, evidence: Evidence) -> Finding:
    """Judge whether what cannot be applied, and nothing else, is a dead letter, byte for byte."""
    return _letters(
        "One bad event stops nobody",
        [each for each in plan.webhooks if each.fate is Fate.DEAD],
        [each for each in evidence.letters if each.topic != UNREADABLE.name],
        topic=dead_letter_topic(USER_EVENTS).name,
    )


def unreadable_ones_are_kept(plan: Plan, evidence: Evidence) -> Finding:
    """Judge whether what cannot be read, and nothing else, is in quarantine, byte for byte."""
    return _letters(
        "What cannot be read is kept",
        [each for each in plan.webhooks if each.fate is Fate.QUARANTINED],
        [each for each in evidence.letters if each.topic == UNREADABLE.name],
        topic=UNREADABLE.name,
    )


def _letters(
    promise: str, webhooks: Sequence[Webhook], kept: Iterable[Kept], *, topic: str
) -> Finding:
    # A crash between a letter and its offset writes the same letter again: once at least.
    found = {(each.topic, each.event_id, each.value) for each in kept}
    wanted = {(topic, each.event_id, each.body) for each in webhooks}
    return Finding(
        promise=promise,
        expected=f"{len(wanted)} in {topic}, byte for byte",
        found=f"{len(found & wanted)}, and {len(found - wanted)} others",
        differences=[
            *(f"{event_id} is missing in {topic}" for _, event_id, _ in wanted - found),
            *(f"{event_id} should not be in {place}" for place, event_id, _ in found - wanted),
        ],
    )


def codes_go_no_further(plan: Plan, evidence: Evidence) -> Finding:
    """Judge whether the record of every event with a one-time code is there without it."""
    codes = {each.event_id: each.code for each in plan.webhooks if each.code}
    records = [each for each in evidence.records if each.event_id in codes]
    leaked = {each.event_id for each in records if codes[each.event_id].encode() in each.value}
    missing = codes.keys() - {each.event_id for each in records}
    return Finding(
        promise="One-time codes go no further",
        expected=f"0 of {len(codes)} codes in Kafka",
        found=f"{len(leaked)} of {len(codes) - len(missing)}",
        differences=[
            *(f"the code of {event_id} is in Kafka" for event_id in sorted(leaked)),
            *(f"{event_id} is not in Kafka at all" for event_id in sorted(missing)),
        ],
    )


def the_api_tells_it(rows: Mapping[str, Row], evidence: Evidence, *, reader: str) -> Finding:
    """Judge whether the API lists the living, newest first, and hides the deleted."""
    living = sorted(
        (row for row in rows.values() if row["status"] != "deleted"),
        key=lambda row: (row["created_at"], row["id"]),
        reverse=True,
    )
    expected = {row["clerk_id"]: present(row) for row in living}
    listed = {str(each.get("clerk_id")): each for each in evidence.listed}
    differences = _compare(expected, listed)
    if not differences and list(expected) != [each["clerk_id"] for each in evidence.listed]:
        differences.append("the list is out of order or repeats somebody")
    if evidence.me != expected[reader]:
        differences.append(f"/v1/me of {reader} is not that user")
    if evidence.deleted_status != 404:
        differences.append(f"somebody deleted was answered {evidence.deleted_status}, not 404")
    return Finding(
        promise="The API tells what is so",
        expected=f"{len(living)} living users, me, 404 for the deleted",
        found=f"{len(evidence.listed)} users, {evidence.me.get('first_name', 'nobody')}, "
        f"{evidence.deleted_status}",
        differences=differences,
    )


def _compare(
    expected: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Say which keys are missing or too many, and which columns of the others differ."""
    differences = [f"{key} is missing" for key in expected.keys() - found.keys()]
    differences += [f"{key} should not be there" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        one, other = expected[key], found[key]
        columns = [name for name in {**one, **other} if one.get(name, ...) != other.get(name, ...)]
        if columns:
            differences.append(f"{key} differs in {', '.join(columns)}")
    return differences
