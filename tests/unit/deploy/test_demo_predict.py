"""What is predicted from a set of events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from msgspec import json as fast

from deploy.demo.plan import make_plan
from deploy.demo.predict import predict, winners
from deploy.demo.values import Row, to_id, to_time
from deploy.demo.webhook import Fate, Webhook
from schema.postgres.rows import ROWS
from schema.postgres.user_data import USER_DATA

NOW_MS = 1_790_000_000_000
PLAN = make_plan(users=60, seed=3, now_ms=NOW_MS)
TABLES = predict(PLAN.webhooks)


def _history() -> list[Webhook]:
    """Return everything told of a user who lived, changed, signed in and was deleted."""
    for clerk_id in [webhook.user_id for webhook in PLAN.webhooks if webhook.deletes]:
        told = [
            each
            for each in PLAN.webhooks
            if each.fate is Fate.PROJECTED
            and each.user_id == clerk_id
            and each.type.startswith(("user.", "session."))
        ]
        if len(told) >= 5:
            return told
    raise AssertionError


def _living() -> list[Webhook]:
    return [each for each in _history() if not each.deletes]


def _of(webhooks: list[Webhook], prefix: str) -> list[Webhook]:
    return [each for each in webhooks if each.type.startswith(prefix)]


def _changed(webhook: Webhook, **data: object) -> Webhook:
    event = json.loads(webhook.body)
    event["data"] |= data
    return replace(webhook, body=json.dumps(event).encode())


def _only(rows: Any) -> Row:
    (row,) = rows.values()
    return dict(row)


def test_a_prediction_does_not_depend_on_the_order() -> None:
    """It is a function of the set of events."""
    assert predict(reversed(PLAN.webhooks)) == TABLES
    assert predict(PLAN.deliveries) == TABLES


@pytest.mark.parametrize("table", sorted(TABLES.keys() - {"user_data"}))
def test_every_column_is_predicted(table: str) -> None:
    """And nothing that is none."""
    columns = set(ROWS[table].__struct_fields__)

    assert {frozenset(row) for row in TABLES[table].values()} == {frozenset(columns)}


def test_derived_values_have_their_shapes() -> None:
    """Those that the table promises, for everybody who is not erased."""
    users = TABLES["users"]
    assert TABLES["user_data"].keys() == {k for k, v in users.items() if v["status"] != "deleted"}
    for row in TABLES["user_data"].values():
        for key, value in row.items():
            USER_DATA[key].validate_json(fast.encode(value))  # type: ignore[index]  # keys of ours


def test_the_newest_snapshot_is_predicted() -> None:
    """By its own time, not by when it comes; the two times of activity are the latest of all."""
    told = _living()
    tables = predict(told)
    row = _only(tables["users"])
    snapshots = [each.snapshot for each in told if each.snapshot]

    assert row["version"] == max(each.updated_at for each in snapshots)
    assert row["version_event_id"] in winners(tables)
    assert row["last_active_at"] == to_time(max(each.last_active_at or 0 for each in snapshots))
    assert row["last_event_at"] == to_time(max(each.told_at for each in told))


def test_between_equal_versions_the_later_event_is_predicted() -> None:
    """And between equal times the greater svix-id."""
    told = _history()[0]
    later = replace(told, event_id="a", told_at=told.told_at + 1)
    greater = replace(later, event_id="b")

    assert winners(predict([told, greater, later])) == {"b"}


def test_who_is_only_named_is_pending() -> None:
    """A stub: no snapshot, no sign-up, but somebody of whom an event told."""
    tables = predict(_of(list(PLAN.webhooks), "organizationMembership.")[:1])
    row, data = _only(tables["users"]), _only(tables["user_data"])

    assert (row["status"], row["version"], row["created_at"]) == ("pending", 0, None)
    assert data.keys() == {"session_count", "login_history", "name_history", "last_clerk_sync"}


def test_a_deletion_leaves_nothing_personal() -> None:
    """Wherever it comes in the history."""
    told = _history()
    tables = predict([told[-1], *told[:-1]])
    row = _only(tables["users"])

    assert told[-1].deletes
    assert (row["status"], row["deletion_event_id"]) == ("deleted", told[-1].event_id)
    assert {row[name] for name in ("email", "first_name", "created_at", "last_event_at")} == {None}
    assert not tables["sessions"]
    assert not tables["user_data"]


def test_an_end_outlasts_what_is_newer() -> None:
    """A session that was ended stays ended; its activity is the first, its last time the last."""
    (begun,) = _of(_living(), "session.created")[:1]
    ended = replace(
        _changed(begun, updated_at=begun.data["updated_at"] - 1, latest_activity=None),
        event_id="end",
        type="session.ended",
    )
    row = _only(predict([begun, ended])["sessions"])

    assert (row["status"], row["version_event_id"]) == ("ended", "end")
    assert row["activity_event_id"] == begun.event_id


def test_somebody_else_is_no_sign_in() -> None:
    """Neither counted nor in the history."""
    (begun,) = _of(_living(), "session.created")[:1]
    lent = _changed(begun, actor={"sub": "user_1"})

    assert _only(predict([begun])["user_data"])["session_count"] == 1
    assert _only(predict([lent])["user_data"])["login_history"] == []


def test_a_name_is_in_the_history_once_while_it_lasts() -> None:
    """And again when it comes back; the newest first."""
    told = _history()[0]
    snapshot = told.snapshot
    assert snapshot
    names = ["Quill", "Quill", "Hart", "Quill"]
    versions = [
        replace(
            told,
            event_id=str(n),
            snapshot=replace(snapshot, updated_at=snapshot.updated_at + n, last_name=name),
        )
        for n, name in enumerate(names)
    ]
    history = _only(predict(versions)["user_data"])["name_history"]

    assert [each["last_name"] for each in history] == ["Quill", "Hart", "Quill"]


def test_an_invitation_that_came_first_is_how_they_signed_up() -> None:
    """One that came after is not."""
    told = _living()
    (invitation,) = _of(list(PLAN.webhooks), "organizationInvitation.accepted")[:1]
    user_id = told[0].user_id
    signed_up = told[0].data["created_at"]
    sources = []
    for created_at in (signed_up, signed_up + 1):
        accepted = replace(
            _changed(invitation, user_id=user_id, created_at=created_at), user_id=user_id
        )
        sources.append(_only(predict([*told, accepted])["user_data"])["signup_source"])

    assert sources[0] == "invite"
    assert sources[1] == _only(predict(told)["users"])["signup_source"]


def test_an_organization_takes_its_members_along() -> None:
    """Whatever is told of it afterwards; the members stay users."""
    deleted = _of(list(PLAN.webhooks), "organization.deleted")[0]
    org_id = deleted.data["id"]
    member = next(
        each
        for each in _of(list(PLAN.webhooks), "organizationMembership.")
        if each.data["organization"]["id"] == org_id
    )
    tables = predict([deleted, replace(member, told_at=NOW_MS * 2)])

    assert tables["organizations"][org_id]["status"] == "deleted"
    assert tables["organizations"][org_id]["id"] == to_id(org_id)
    assert not tables["organization_memberships"]
    assert list(tables["users"]) == [member.user_id]
