"""The plan of the demonstration, and what it lets one predict."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from deploy.demo.plan import Plan, make_plan
from deploy.demo.predict import predict
from deploy.demo.webhook import Fate, Webhook
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
    tables = predict(plan.webhooks)
    rows = tables["users"]
    statuses = Counter(row["status"] for row in rows.values())

    # One user more is only nested in a session; strangers are only named, by organizations.
    assert len(rows) - statuses["pending"] == users + 1
    assert statuses["pending"]
    assert all(tables.values())
    assert {row["status"] for row in tables["organizations"].values()} >= {"active", "deleted"}
    for fate in (Fate.REFUSED, Fate.DEAD, Fate.QUARANTINED):
        assert len(_of(plan, fate)) == 1
    assert len(plan.deliveries) > len(plan.webhooks)
    assert statuses["deleted"]
    assert (rows[plan.admin]["role"], rows[plan.admin]["status"]) == ("admin", "active")
    assert (rows[plan.reader]["role"], rows[plan.reader]["status"]) == ("user", "active")


def test_every_webhook_has_an_id_of_its_own(plan: Plan) -> None:
    """Only repetitions share one."""
    assert len({webhook.event_id for webhook in plan.webhooks}) == len(plan.webhooks)


def test_what_may_not_pass_is_sent_once(plan: Plan) -> None:
    """So that its letters can be counted."""
    times = Counter(webhook.event_id for webhook in plan.deliveries)

    for webhook in plan.webhooks:
        if webhook.fate not in (Fate.PROJECTED, Fate.IGNORED):
            assert times[webhook.event_id] == 1


def test_order_is_not_that_of_time(plan: Plan) -> None:
    """Some users are told updated before they are told created, some deleted before both."""
    first: dict[str | None, str] = {}
    for webhook in plan.deliveries:
        if webhook.fate is Fate.PROJECTED and webhook.type.startswith("user."):
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

    assert data["updated_at"] > predict(plan.webhooks)["users"][plan.reader]["version"]
    assert (data["id"], data["public_metadata"]["role"]) == (plan.reader, "admin")


def test_a_session_nests_the_user_it_is_said_to(plan: Plan) -> None:
    """The user inside is the snapshot that is predicted from, and the one who signed in."""
    sessions = [webhook for webhook in plan.webhooks if webhook.type.startswith("session.")]

    assert {webhook.type for webhook in sessions} >= {"session.created", "session.pending"}
    for webhook in sessions:
        data, snapshot = webhook.data, webhook.snapshot
        assert snapshot
        assert data["user_id"] == data["user"]["id"] == webhook.user_id == snapshot.person.id
        assert data["user"]["updated_at"] == snapshot.updated_at
        assert (webhook.told_at, data["user"]["last_name"]) == (
            snapshot.told_at,
            snapshot.last_name,
        )


def test_every_kind_of_session_is_there() -> None:
    """Ended in each way, by somebody else, from an unknown device; and one still waiting."""
    rows = predict(make_plan(users=200, seed=1, now_ms=NOW_MS).webhooks)["sessions"].values()

    assert {row["status"] for row in rows} == {"active", "ended", "pending", "removed", "revoked"}
    assert {row["impersonated"] for row in rows} == {True, False}
    assert {row["device"] for row in rows} >= {None, "iPhone", "Safari", "Chrome on Macintosh"}
