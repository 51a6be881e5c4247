"""The plan of the demonstration, and what it lets one predict."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from deploy.demo.plan import Fate, Plan, Webhook, make_plan
from deploy.demo.predict import predict_users, winners
from ingest.prepare import Delivery, prepare
from ingest.redact import TYPES as REDACTED_TYPES

NOW_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Return a demonstration with forty users."""
    return make_plan(users=40, seed=7, now_ms=NOW_MS)


def _of(plan: Plan, fate: Fate) -> list[Webhook]:
    return [webhook for webhook in plan.webhooks if webhook.fate is fate]


def test_a_seed_repeats_a_demonstration(plan: Plan) -> None:
    """To the last byte and in the same order; another seed gives another one."""
    assert make_plan(users=40, seed=7, now_ms=NOW_MS) == plan
    assert make_plan(users=40, seed=8, now_ms=NOW_MS) != plan


def test_the_default_is_about_a_thousand_webhooks() -> None:
    """Enough to be worth watching, few enough to be over soon."""
    assert 900 <= len(make_plan(users=200, seed=1, now_ms=NOW_MS).deliveries) <= 1200


@pytest.mark.parametrize("users", [3, 4, 25])
@pytest.mark.parametrize("seed", range(5))
def test_every_plan_has_what_the_promises_need(users: int, seed: int) -> None:
    """A forgery, a poison, something unreadable, repetitions, somebody deleted, the two readers."""
    plan = make_plan(users=users, seed=seed, now_ms=NOW_MS)
    rows = predict_users(plan.webhooks)

    assert len(rows) == users
    for fate in (Fate.REFUSED, Fate.DEAD, Fate.QUARANTINED):
        assert len(_of(plan, fate)) == 1
    assert len(plan.deliveries) > len(plan.webhooks)
    assert "deleted" in {row["status"] for row in rows.values()}
    assert (rows[plan.admin]["role"], rows[plan.admin]["status"]) == ("admin", "active")
    assert (rows[plan.reader]["role"], rows[plan.reader]["status"]) == ("user", "active")


def test_every_webhook_has_an_id_of_its_own(plan: Plan) -> None:
    """Only repetitions share one."""
    assert len({webhook.event_id for webhook in plan.webhooks}) == len(plan.webhooks)


def test_what_may_not_pass_is_sent_once(plan: Plan) -> None:
    """So that its letters can be counted."""
    times = Counter(webhook.event_id for webhook in plan.deliveries)

    for webhook in plan.webhooks:
        if webhook.fate not in (Fate.USER, Fate.OTHER):
            assert times[webhook.event_id] == 1


def test_order_is_not_that_of_time(plan: Plan) -> None:
    """Some users are told updated before they are told created, some deleted before both."""
    first: dict[str | None, str] = {}
    for webhook in plan.deliveries:
        if webhook.fate is Fate.USER:
            first.setdefault(webhook.user_id, webhook.type)

    assert {"user.created", "user.updated", "user.deleted"} == set(first.values())


def test_ingest_can_take_all_of_it(plan: Plan) -> None:
    """What is to be accepted is an event to ingest, what is not is unreadable to it."""
    for webhook in plan.webhooks:
        prepared = prepare(
            Delivery(body=webhook.body, event_id=webhook.event_id, request_id="1"),
            instance_id=None,
        )
        unreadable = webhook.fate is Fate.QUARANTINED
        assert prepared.status == ("quarantined" if unreadable else "accepted")


def test_a_code_is_in_its_event_and_can_be_found(plan: Plan) -> None:
    """It stands in its event as often as the sample has it, so that finding it means a leak."""
    with_code = [webhook for webhook in plan.webhooks if webhook.type in REDACTED_TYPES]

    assert with_code
    for webhook in with_code:
        assert webhook.code
        assert webhook.body.count(webhook.code.encode()) == (
            2 if webhook.type == "sms.created" else 4
        )


def test_the_forgery_would_matter(plan: Plan) -> None:
    """It would make an administrator of somebody who is none, being the newest of all."""
    (forged,) = _of(plan, Fate.REFUSED)
    data = json.loads(forged.body)["data"]

    assert data["updated_at"] > predict_users(plan.webhooks)[plan.reader]["version"]

    assert (data["id"], data["public_metadata"]["role"]) == (plan.reader, "admin")


def _history(plan: Plan) -> list[Webhook]:
    """Return everything told of a user who lived, changed and was deleted."""
    deleted = {webhook.user_id for webhook in plan.webhooks if webhook.deletes}
    for clerk_id in deleted:
        told = [each for each in _of(plan, Fate.USER) if each.user_id == clerk_id]
        if len(told) >= 4:
            return told
    raise AssertionError


def test_a_prediction_does_not_depend_on_the_order() -> None:
    """It is a function of the set of events."""
    plan = make_plan(users=40, seed=7, now_ms=NOW_MS)

    assert predict_users(reversed(plan.webhooks)) == predict_users(plan.webhooks)
    assert predict_users(plan.deliveries) == predict_users(plan.webhooks)


def test_the_newest_snapshot_is_predicted() -> None:
    """By its own time, not by when it comes; the two times of activity are the latest of all."""
    told = [each for each in _history(make_plan(users=60, seed=3, now_ms=NOW_MS)) if each.snapshot]
    (row,) = predict_users(told).values()
    snapshots = [each.snapshot for each in told if each.snapshot]

    assert row["version"] == max(each.updated_at for each in snapshots)
    assert row["version_event_id"] in winners(told)
    assert row["last_active_at"].timestamp() * 1000 == pytest.approx(
        max(each.last_active_at or 0 for each in snapshots), abs=0.5
    )


def test_between_equal_versions_the_later_event_is_predicted() -> None:
    """And between equal times the greater svix-id."""
    told = next(each for each in _history(make_plan(users=60, seed=3, now_ms=NOW_MS)))
    later = replace(told, event_id="a", told_at=told.told_at + 1)
    greater = replace(later, event_id="b")

    assert winners([told, greater, later]) == {"b"}


def test_a_deletion_leaves_nothing_personal() -> None:
    """Wherever it comes in the history."""
    told = _history(make_plan(users=60, seed=3, now_ms=NOW_MS))
    (row,) = predict_users([told[-1], *told[:-1]]).values()

    assert told[-1].deletes
    assert row["status"] == "deleted"
    assert {row[name] for name in ("email", "first_name", "image_url", "created_at")} == {None}
