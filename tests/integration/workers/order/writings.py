"""Rows that users' own commands make, as the model derives them from facts."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from schema.postgres.ids import derive_id
from tests.integration.workers.order.facts import (
    Data,
    DataSaid,
    PostChanged,
    PostCreated,
    PostDeleted,
    moment,
)
from tests.integration.workers.order.hearing import FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.workers.order.facts import Fact

    PostFact = PostCreated | PostChanged | PostDeleted


def post_rows(facts: Sequence[Fact], user: str) -> list[Data]:
    """Return a user's rows of posts."""
    kinds = (PostCreated, PostChanged, PostDeleted)
    mine = [fact for fact in facts if isinstance(fact, kinds) and fact.user == user]
    posts = sorted({fact.clerk_id for fact in mine})
    return [_post([fact for fact in mine if fact.clerk_id == post]) for post in posts]


def said_rows(facts: Sequence[Fact], user: str) -> list[Data]:
    """Return a user's rows of user_data that are the user's own words, the last of each key."""
    mine = [fact for fact in facts if isinstance(fact, DataSaid) and fact.clerk_id == user]
    last = {fact.key: fact for fact in sorted(mine, key=lambda fact: fact.version)}
    return [
        {
            "user_id": derive_id(user),
            "key": fact.key,
            "value": fact.row["value"],
            "version": fact.version[0],
            "version_event_id": fact.version[2].decode(),
        }
        for fact in last.values()
    ]


def _post(facts: list[PostFact]) -> Data:
    one = facts[0]
    row: Data = {"id": uuid.UUID(one.clerk_id), "user_id": derive_id(one.user)}
    row |= dict.fromkeys(("created_at", "updated_at", "deleted_at"))
    row |= {"title": "", "body": "", "status": "draft"}
    for name in FIELDS:
        row |= {f"{name}_version": 0, f"{name}_event_id": ""}
    ends = [fact.version[0] for fact in facts if isinstance(fact, PostDeleted)]
    if ends:
        return row | {"deleted_at": moment(min(ends)), "version": min(ends)}
    creations = [fact for fact in facts if isinstance(fact, PostCreated)]
    first = min((fact.version[0] for fact in creations), default=None)
    for name in FIELDS:
        row |= _field(name, facts, [each for each in creations if each.version[0] == first])
    row["version"] = max(first or 0, *(row[f"{name}_version"] for name in FIELDS))
    if first is not None:
        row |= {"created_at": moment(first), "updated_at": moment(row["version"])}
    return row


def _field(name: str, facts: list[PostFact], first: list[PostCreated]) -> Data:
    changes: list[Any] = [
        (fact.version, fact.row[name])
        for fact in facts
        if isinstance(fact, PostChanged) and name in fact.row
    ]
    if changes:
        version, value = max(changes)
        return {
            name: value,
            f"{name}_version": version[0],
            f"{name}_event_id": version[2].decode(),
        }
    return {name: min(fact.row[name] for fact in first)} if first else {}
