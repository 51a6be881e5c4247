"""The judge of the demonstration: silent when all is well, and never when it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploy.demo.collect import Evidence, Kept
from deploy.demo.deliver import Crash, Delivered
from deploy.demo.judge import judge
from deploy.demo.judge_changes import UNTOLD
from deploy.demo.plan import Plan, make_plan
from deploy.demo.predict import predict, winners
from deploy.demo.present import present
from deploy.demo.webhook import Fate, Webhook
from deploy.post import Answer
from ingest.prepare import Delivery, prepare
from schema.kafka.topics import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.demo.values import Rows

PLAN = make_plan(users=30, seed=7, now_ms=1_790_000_000_000)
TABLES = predict(PLAN.webhooks)
USERS = TABLES["users"]
ONE_RESULT = "Any order, any number of times, one result"
TOLD = "Every change is told, in order"
REFUSED = Answer(status=401, body={"error": {"code": "INVALID_SIGNATURE"}})


def _keep(webhook: Webhook, offset: int) -> Kept:
    record = prepare(
        Delivery(body=webhook.body, event_id=webhook.event_id, request_id="1"), instance_id=None
    ).record
    return Kept(
        topic=record.topic,
        partition=0,
        offset=offset,
        key=(record.key or b"").decode(),
        event_id=webhook.event_id,
        value=record.value or b"",
    )


def _accept(kept: Kept) -> Answer:
    place = {"topic": kept.topic, "partition": kept.partition, "offset": kept.offset}
    return Answer(status=202, body={"status": "accepted", **place})


def _record_outcomes(plan: Plan) -> list[tuple[str, str]]:
    deciding = winners(TABLES)
    users = {True: "applied", False: "stale"}
    outcomes = {Fate.IGNORED: "ignored", Fate.DEAD: "dead"}
    return [
        (each.event_id, outcomes.get(each.fate, users[each.event_id in deciding]))
        for each in plan.webhooks
        if each.fate in (Fate.PROJECTED, Fate.IGNORED, Fate.DEAD)
    ]


def _tell(sequence: int, key: str, state: Mapping[str, object] | None) -> Kept:
    return Kept(
        topic="user.changes",
        partition=0,
        offset=sequence,
        key=key,
        event_id=str(sequence),
        value=b"" if state is None else json.dumps(state).encode(),
    )


def _told_changes() -> list[Kept]:
    """Return what was told: everybody came into being, some more than once, and some are gone."""
    states = {
        key: {name: value for name, value in present(row).items() if name not in UNTOLD}
        for key, row in USERS.items()
        if row["status"] != "pending"
    }
    first = [(key, state | {"first_name": "Old"}) for key, state in states.items()]
    last = [
        (key, None if USERS[key]["status"] == "deleted" else state) for key, state in states.items()
    ]
    return [_tell(n, key, state) for n, (key, state) in enumerate([*first, *last], start=1)]


def _make_evidence() -> Evidence:
    """Return what there is when every promise was held."""
    stored = {
        offset: _keep(webhook, offset)
        for offset, webhook in enumerate(PLAN.deliveries)
        if webhook.fate is not Fate.REFUSED
    }
    (poison,) = [each for each in PLAN.webhooks if each.fate is Fate.DEAD]
    living = [row for row in USERS.values() if row["status"] not in ("pending", "deleted")]
    living.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
    return Evidence(
        delivered=[
            Delivered(webhook=each, answer=_accept(stored[n]) if n in stored else REFUSED)
            for n, each in enumerate(PLAN.deliveries)
        ],
        crash=Crash(sent=40, waiting=12),
        records=[each for each in stored.values() if each.topic != UNREADABLE.name],
        letters=[
            replace(_keep(poison, 0), topic="clerk.user-events.dlq"),
            *(each for each in stored.values() if each.topic == UNREADABLE.name),
        ],
        changes=_told_changes(),
        tables=TABLES,
        ledger=_record_outcomes(PLAN),
        listed=[present(row) for row in living],
        me=present(USERS[PLAN.reader]),
        deleted_status=404,
    )


def test_it_finds_nothing_where_all_is_well() -> None:
    """Every promise, held."""
    findings = judge(PLAN, _make_evidence())

    assert [finding.differences for finding in findings] == [[]] * 11


def _forgery_accepted(it: Evidence) -> Evidence:
    answers = [
        replace(each, answer=Answer(status=202)) if each.answer == REFUSED else each
        for each in it.delivered
    ]
    return replace(it, delivered=answers)


def _forgery_in_ledger(it: Evidence) -> Evidence:
    (forged,) = [each for each in PLAN.webhooks if each.fate is Fate.REFUSED]
    return replace(it, ledger=[*it.ledger, (forged.event_id, "stale")])


def _answer_missing(it: Evidence) -> Evidence:
    return replace(
        it, delivered=[replace(it.delivered[0], answer=Answer(status=503)), *it.delivered[1:]]
    )


def _bytes_changed(it: Evidence) -> Evidence:
    spoilt = next(each for each in it.records if not _code_of(each))
    records = [replace(each, value=b"{}") if each is spoilt else each for each in it.records]
    return replace(it, records=records)


def _with(it: Evidence, table: str, rows: Rows) -> Evidence:
    return replace(it, tables={**it.tables, table: rows})


def _altered(it: Evidence, table: str, **changes: object) -> Evidence:
    """Return the evidence with a changed row; of users, of somebody alive."""
    rows = it.tables[table]
    key = next(key for key, row in rows.items() if row.get("status") != "deleted")
    return _with(it, table, {**rows, key: rows[key] | changes})


def _row_changed(it: Evidence) -> Evidence:
    return _altered(it, "users", last_name="Nobody")


def _session_changed(it: Evidence) -> Evidence:
    return _altered(it, "sessions", device="Lynx on VT100")


def _organization_changed(it: Evidence) -> Evidence:
    return _altered(it, "organizations", slug="elsewhere")


def _membership_changed(it: Evidence) -> Evidence:
    return _altered(it, "organization_memberships", permissions=["org:everything"])


def _invitation_lost(it: Evidence) -> Evidence:
    return _with(it, "organization_invitations", {})


def _count_wrong(it: Evidence) -> Evidence:
    return _altered(it, "user_data", session_count=99)


def _row_lost(it: Evidence) -> Evidence:
    users = {key: row for key, row in it.tables["users"].items() if key != PLAN.reader}
    return _with(it, "users", users)


def _deleted_with(it: Evidence, **changes: object) -> Evidence:
    """Return the evidence with other tombstones."""
    users = {
        key: row | changes if row["status"] == "deleted" else row
        for key, row in it.tables["users"].items()
    }
    return _with(it, "users", users)


def _risen(it: Evidence) -> Evidence:
    return _deleted_with(it, status="active")


def _personal_tombstone(it: Evidence) -> Evidence:
    return _deleted_with(it, email="x@example.com")


def _session_outlives_user(it: Evidence) -> Evidence:
    (gone, *_) = [row for row in USERS.values() if row["status"] == "deleted"]
    return _altered(it, "sessions", user_id=gone["id"])


def _user_data_outlives_user(it: Evidence) -> Evidence:
    (gone, *_) = [key for key, row in USERS.items() if row["status"] == "deleted"]
    return _with(it, "user_data", {**it.tables["user_data"], gone: {"session_count": 1}})


def _event_lost(it: Evidence) -> Evidence:
    return replace(it, ledger=it.ledger[1:])


def _event_twice(it: Evidence) -> Evidence:
    return replace(it, ledger=[*it.ledger, it.ledger[0]])


def _outcome_wrong(it: Evidence) -> Evidence:
    deciding = winners(TABLES)
    return replace(
        it, ledger=[(each, "stale" if each in deciding else how) for each, how in it.ledger]
    )


def _letter_missing(it: Evidence) -> Evidence:
    return replace(it, letters=it.letters[1:])


def _letter_too_many(it: Evidence) -> Evidence:
    extra = replace(it.letters[0], event_id="msg_healthy", offset=1)
    return replace(it, letters=[*it.letters, extra])


def _quarantine_changed(it: Evidence) -> Evidence:
    return replace(it, letters=[it.letters[0], replace(it.letters[1], value=b"")])


def _code_of(kept: Kept) -> str | None:
    return next(each.code for each in PLAN.webhooks if each.event_id == kept.event_id)


def _code_leaked(it: Evidence) -> Evidence:
    return replace(
        it,
        records=[
            replace(each, value=each.value + (_code_of(each) or "").encode())
            if _code_of(each)
            else each
            for each in it.records
        ],
    )


def _change_lost(it: Evidence) -> Evidence:
    return replace(it, changes=it.changes[:-1])


def _change_wrong(it: Evidence) -> Evidence:
    said = {"clerk_id": it.changes[-1].key, "first_name": "Nobody"}
    last = it.changes[-1]
    wrong = _tell(int(last.event_id) + 1, last.key, said)
    return replace(it, changes=[*it.changes, wrong])


def _change_repeated(it: Evidence) -> Evidence:
    return replace(it, changes=[*it.changes, it.changes[-1]])


def _person_remembered(it: Evidence) -> Evidence:
    gone = {key for key, row in USERS.items() if row["status"] == "deleted"}
    changes = [each for each in it.changes if each.key not in gone or each.value]
    return replace(it, changes=changes)


def _api_out_of_order(it: Evidence) -> Evidence:
    return replace(it, listed=[*it.listed[1:], it.listed[0]])


def _api_shows_deleted(it: Evidence) -> Evidence:
    return replace(it, deleted_status=200)


def _api_takes_for_another(it: Evidence) -> Evidence:
    return replace(it, me=present(USERS[PLAN.admin]))


@pytest.mark.parametrize(
    ("spoil", "promises"),
    [
        (_forgery_accepted, {"Only Clerk gets in"}),
        (_forgery_in_ledger, {"Only Clerk gets in", "“Where is my webhook?” has an answer"}),
        (_answer_missing, {"A 2xx means it is safe"}),
        (_bytes_changed, {"A 2xx means it is safe"}),
        (_row_changed, {ONE_RESULT}),
        (_row_lost, {ONE_RESULT}),
        (_session_changed, {ONE_RESULT}),
        (_organization_changed, {ONE_RESULT}),
        (_membership_changed, {ONE_RESULT}),
        (_invitation_lost, {ONE_RESULT}),
        (_count_wrong, {ONE_RESULT}),
        (_risen, {ONE_RESULT, "The deleted stay deleted"}),
        (_personal_tombstone, {ONE_RESULT, "The deleted stay deleted"}),
        (_session_outlives_user, {ONE_RESULT, "The deleted stay deleted"}),
        (_user_data_outlives_user, {ONE_RESULT, "The deleted stay deleted"}),
        (_event_lost, {"A crash loses nothing", "“Where is my webhook?” has an answer"}),
        (_event_twice, {"“Where is my webhook?” has an answer"}),
        (_outcome_wrong, {"“Where is my webhook?” has an answer"}),
        (_letter_missing, {"One bad event stops nobody"}),
        (_letter_too_many, {"One bad event stops nobody"}),
        (_quarantine_changed, {"What cannot be read is kept", "A 2xx means it is safe"}),
        (_code_leaked, {"One-time codes go no further"}),
        (_change_lost, {TOLD}),
        (_change_wrong, {TOLD}),
        (_change_repeated, {TOLD}),
        (_person_remembered, {TOLD}),
        (_api_out_of_order, {"The API tells what is so"}),
        (_api_shows_deleted, {"The API tells what is so"}),
        (_api_takes_for_another, {"The API tells what is so"}),
    ],
)
def test_it_names_the_promise_that_was_broken(
    spoil: Callable[[Evidence], Evidence], promises: set[str]
) -> None:
    """Each way of being wrong breaks its promise, and no other."""
    findings = judge(PLAN, spoil(_make_evidence()))

    assert {finding.promise for finding in findings if not finding.held} == promises


def test_a_letter_written_twice_by_a_crash_is_one_letter() -> None:
    """Between writing a letter and committing its offset a worker can be killed."""
    evidence = _make_evidence()
    repeated = replace(evidence.letters[0], offset=1)

    findings = judge(PLAN, replace(evidence, letters=[*evidence.letters, repeated]))

    assert all(finding.held for finding in findings)
