"""What Clerk itself has once everything has happened, whoever was told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.demo.people import describe
from deploy.demo.predict import predict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.demo.people import Snapshot
    from deploy.demo.values import Row, Rows
    from deploy.demo.webhook import Webhook

    Things = Mapping[str, dict[str, Any]]
    """Clerk's id -> the thing, as Clerk's API has it."""


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """All that Clerk's API can be asked for."""

    users: Things
    organizations: Things
    memberships: Things
    sessions: Things


def find_upstream(webhooks: Iterable[Webhook]) -> Upstream:
    """Return what Clerk has when all that these tell has happened."""
    told = {each.event_id: each for each in webhooks}
    tables = predict(told.values())

    def winner(row: Row) -> Webhook:
        return told[row["version_event_id"]]

    organizations = _living(tables["organizations"])
    memberships = tables["organization_memberships"]
    return Upstream(
        users={key: _user(each) for key, each in find_users(told.values()).items()},
        organizations={
            key: data.get("organization", data)
            for key, data in ((key, winner(row).data) for key, row in organizations.items())
        },
        memberships={
            key: winner(row).data for key, row in memberships.items() if row["deleted_at"] is None
        },
        sessions={
            key: winner(row).data | {"status": row["status"]}
            for key, row in tables["sessions"].items()
        },
    )


def find_users(webhooks: Iterable[Webhook]) -> dict[str, Snapshot]:
    """Return every living user of whom more than the name is told, as they are in the end."""
    told = {each.event_id: each for each in webhooks}
    rows = _living(predict(told.values())["users"])
    found = {key: told[row["version_event_id"]].snapshot for key, row in rows.items()}
    return {key: snapshot for key, snapshot in found.items() if snapshot}


def _living(rows: Rows) -> dict[str, Row]:
    return {key: row for key, row in rows.items() if row["status"] not in ("pending", "deleted")}


def _user(snapshot: Snapshot) -> dict[str, Any]:
    data: dict[str, Any] = describe("user.updated", snapshot)["data"]
    return data
