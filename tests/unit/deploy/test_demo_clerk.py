"""What nobody is told of in the demonstration, what Clerk then has, and the judge of the look."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.demo.collect import Kept
from deploy.demo.judge_changes import UNTOLD
from deploy.demo.judge_clerk import DRIFT, Looked, a_look_at_clerk_finds
from deploy.demo.plan import make_plan
from deploy.demo.predict import predict
from deploy.demo.present import present
from deploy.demo.unheard import BEFORE, make_unheard
from deploy.demo.upstream import find_upstream

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_MS = 1_790_000_000_000
PLAN = make_plan(users=30, seed=7, now_ms=NOW_MS)
UNHEARD = make_unheard(PLAN, now_ms=NOW_MS)
ALL = (*PLAN.webhooks, *UNHEARD.before, *UNHEARD.lost)
TABLES = predict(ALL)


@pytest.mark.parametrize("users", [3, 4, 25])
@pytest.mark.parametrize("seed", range(5))
def test_every_look_has_what_the_promise_needs(users: int, seed: int) -> None:
    """Users from before, a sign-up, a change and a deletion that are lost; nobody is a stub."""
    plan = make_plan(users=users, seed=seed, now_ms=NOW_MS)
    unheard = make_unheard(plan, now_ms=NOW_MS)
    everything = (*plan.webhooks, *unheard.before, *unheard.lost)
    rows = predict(everything)["users"]

    assert unheard == make_unheard(plan, now_ms=NOW_MS)
    assert len(unheard.before) >= BEFORE
    assert [each.type for each in unheard.lost] == ["user.created", "user.updated", "user.deleted"]
    assert not {each.event_id for each in (*unheard.before, *unheard.lost)} & {
        each.event_id for each in plan.webhooks
    }
    assert "pending" not in {row["status"] for row in rows.values()}
    assert rows[plan.reader]["version"] == NOW_MS
    # One deletion is no more than reconcile dares.
    assert sum(row["status"] != "deleted" for row in rows.values()) >= 20


def test_clerk_has_whoever_is_not_gone_and_all_that_is_theirs() -> None:
    """By its own id each, and nothing of what nobody has any more."""
    upstream = find_upstream(ALL)
    living = {key for key, row in TABLES["users"].items() if row["status"] != "deleted"}

    assert upstream.users.keys() == living
    for things in (upstream.users, upstream.organizations, upstream.memberships, upstream.sessions):
        assert things
        assert all(each["id"] == key for key, each in things.items())
    for each in upstream.memberships.values():
        assert each["organization"]["id"] in upstream.organizations
        assert each["public_user_data"]["user_id"] in living
    assert {each["user_id"] for each in upstream.sessions.values()} <= living


def _look() -> Looked:
    """Return what there is when the promise was held."""
    rows = copy.deepcopy(TABLES)
    for row in rows["users"].values():
        row["version_event_id"] = "snap_1"  # whoever told it
    states = {
        key: {name: value for name, value in present(row).items() if name not in UNTOLD}
        for key, row in rows["users"].items()
    }
    told = list(states.items())
    gone = [(key, None) for key, row in rows["users"].items() if row["status"] == "deleted"]
    return Looked(
        backfilled=50,
        drift=dict(DRIFT),
        tables=rows,
        changes=[_tell(n, key, state) for n, (key, state) in enumerate([*told, *gone], start=1)],
    )


def _tell(sequence: int, key: str, state: dict[str, Any] | None) -> Kept:
    return Kept(
        topic="user.changes",
        partition=0,
        offset=sequence,
        key=key,
        event_id=str(sequence),
        value=b"" if state is None else json.dumps(state).encode(),
    )


def _someone(looked: Looked) -> dict[str, Any]:
    row: dict[str, Any] = looked.tables["users"][PLAN.reader]
    return row


def _overlook_a_sign_up(looked: Looked) -> Looked:
    key = UNHEARD.lost[0].user_id
    users = {name: row for name, row in looked.tables["users"].items() if name != key}
    return replace(looked, tables={**looked.tables, "users": users})


def _overlook_a_change(looked: Looked) -> Looked:
    _someone(looked)["last_name"] = "Old"
    return looked


def _overlook_a_deletion(looked: Looked) -> Looked:
    looked.tables["users"][str(UNHEARD.lost[2].user_id)]["status"] = "active"
    return looked


def _touch_an_organization(looked: Looked) -> Looked:
    next(iter(looked.tables["organizations"].values()))["name"] = "Southwind"
    return looked


def _tell_nobody(looked: Looked) -> Looked:
    key = UNHEARD.lost[2].user_id
    return replace(looked, changes=[each for each in looked.changes if each.key != key])


def _report_nothing(looked: Looked) -> Looked:
    return replace(looked, drift={})


def test_the_judge_is_silent_when_the_tables_are_as_at_clerk() -> None:
    """Whoever told of it, and whenever somebody looked."""
    finding = a_look_at_clerk_finds(PLAN, UNHEARD, _look())

    assert finding.held, finding.differences


@pytest.mark.parametrize(
    "breach",
    [
        _overlook_a_sign_up,
        _overlook_a_change,
        _overlook_a_deletion,
        _touch_an_organization,
        _tell_nobody,
        _report_nothing,
    ],
)
def test_the_judge_notices(breach: Callable[[Looked], Looked]) -> None:
    """Each thing that the look could have missed."""
    assert not a_look_at_clerk_finds(PLAN, UNHEARD, breach(_look())).held
