"""Judge the evidence: each promise, what it lets one expect, what was found. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from deploy.demo.finding import Finding
from deploy.demo.judge_changes import every_change_is_told
from deploy.demo.judge_rows import deleted_stay_deleted, one_result, the_api_tells_it
from deploy.demo.predict import predict, winners
from deploy.demo.webhook import Fate
from schema.kafka.topics import UNREADABLE, USER_EVENTS, dead_letter_topic

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from deploy.demo.collect import Evidence, Kept
    from deploy.demo.plan import Plan
    from deploy.demo.webhook import Webhook

IN_THE_LEDGER: Final = (Fate.PROJECTED, Fate.IGNORED, Fate.DEAD)


def judge(plan: Plan, evidence: Evidence) -> list[Finding]:
    """Return a finding for every promise."""
    tables = predict(plan.webhooks)
    return [
        only_clerk_gets_in(evidence),
        a_2xx_means_safe(evidence),
        one_result(tables, evidence),
        deleted_stay_deleted(tables["users"], evidence),
        a_crash_loses_nothing(plan, evidence),
        every_event_is_accounted_for(plan, evidence, deciding=winners(tables)),
        one_bad_event_stops_nobody(plan, evidence),
        unreadable_ones_are_kept(plan, evidence),
        codes_go_no_further(plan, evidence),
        every_change_is_told(tables["users"], evidence),
        the_api_tells_it(tables["users"], evidence, reader=plan.reader),
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


def every_event_is_accounted_for(
    plan: Plan, evidence: Evidence, *, deciding: Collection[str]
) -> Finding:
    """Judge whether the ledger has each event once, with what became of it."""
    planned = {each.event_id: each for each in plan.webhooks if each.fate in IN_THE_LEDGER}
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
    if webhook.fate is Fate.PROJECTED:
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
