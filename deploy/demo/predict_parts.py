"""Predict what belongs to users and organizations, from what the events say themselves."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from deploy.demo.values import Row, keys, latest, to_id, to_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from deploy.demo.values import Rows
    from deploy.demo.webhook import Webhook

    Told = tuple[Webhook, dict[str, Any]]
    """An event, and what it says of the thing."""

_ENDS: Final = ("ended", "removed", "revoked")


def predict_sessions(webhooks: Iterable[Webhook], *, gone: Collection[str]) -> Rows:
    """Return the sessions of whoever is not gone; an end wins over whatever is newer."""
    return {
        key: _session(key, told)
        for key, told in _collect(webhooks, "session.").items()
        if told[0][1]["user_id"] not in gone
    }


def _session(clerk_id: str, told: Sequence[Told]) -> Row:
    def rank(one: Told) -> tuple[object, ...]:
        return (_kind(one) in _ENDS, *_order(one))

    winner = max(told, key=rank)
    data = winner[1]
    activity = _activity([one for one in told if one[1]["latest_activity"] is not None])
    row = keys(clerk_id) | _version(winner) | _age(data) | activity
    return row | {
        "user_id": to_id(data["user_id"]),
        "status": _kind(winner) if _kind(winner) in _ENDS else data["status"],
        "impersonated": data["actor"] is not None,
        "last_active_at": latest(one[1]["last_active_at"] for one in told),
        "expire_at": to_time(data["expire_at"]),
        "abandon_at": to_time(data["abandon_at"]),
    }


def _activity(told: Sequence[Told]) -> Row:
    """Return the columns of the first activity, null where none is known."""
    if not told:
        nothing = ("device", "ip_address", "activity_version", "activity_event_id")
        return dict.fromkeys(nothing)
    webhook, data = min(told, key=lambda one: (one[1]["updated_at"], one[0].event_id))
    activity = data["latest_activity"]
    device = [activity[name] for name in ("browser_name", "device_type") if activity[name]]
    return {
        "device": " on ".join(device) or None,
        "ip_address": activity["ip_address"] or None,
        "activity_version": data["updated_at"],
        "activity_event_id": webhook.event_id,
    }


def predict_organizations(webhooks: Sequence[Webhook]) -> Rows:
    """Return every organization that an event names: told of, deleted, or only named."""
    told = defaultdict[str, list["Told"]](list)
    for webhook in webhooks:
        data = webhook.data
        if webhook.type.startswith("organization."):
            told[data["id"]].append((webhook, data))
        elif webhook.type.startswith("organizationMembership."):
            told[data["organization"]["id"]].append((webhook, data["organization"]))
        elif webhook.type.startswith("organizationInvitation."):
            told[data["organization_id"]] += []
    return {clerk_id: keys(clerk_id) | _organization(each) for clerk_id, each in told.items()}


def _organization(told: Sequence[Told]) -> Row:
    nothing: Row = dict.fromkeys(
        ("name", "slug", "image_url", "created_at", "updated_at", "deleted_at")
    )
    nothing |= {"public_metadata": {}, "status": "pending"}
    nothing |= {"version": 0, "version_timestamp": 0, "version_event_id": ""}
    deletions = [webhook for webhook, data in told if data.get("deleted")]
    if deletions:
        last = max(deletions, key=lambda one: (one.told_at, one.event_id))
        return nothing | {
            "status": "deleted",
            "deleted_at": to_time(last.told_at),
            "version": last.told_at,
            "version_timestamp": last.told_at,
            "version_event_id": last.event_id,
        }
    if not told:
        return nothing
    winner = max(told, key=_order)
    data = winner[1]
    seen = {name: data[name] for name in ("name", "slug", "image_url", "public_metadata")}
    return nothing | _version(winner) | _age(data) | seen | {"status": "active"}


def predict_memberships(webhooks: Iterable[Webhook], *, gone: Collection[str]) -> Rows:
    """Return the memberships of whoever is not gone, in what is not gone; an end stays."""
    rows: dict[str, Row] = {}
    for key, told in _collect(webhooks, "organizationMembership.").items():
        winner = max(told, key=lambda one: (_kind(one) == "deleted", *_order(one)))
        webhook, data = winner
        organization, user = data["organization"]["id"], data["public_user_data"]["user_id"]
        if {organization, user}.isdisjoint(gone):
            seen = {name: data[name] for name in ("role", "permissions", "public_metadata")}
            rows[key] = keys(key) | _version(winner) | _age(data) | seen
            rows[key] |= {
                "organization_id": to_id(organization),
                "user_id": to_id(user),
                "deleted_at": to_time(webhook.told_at) if _kind(winner) == "deleted" else None,
            }
    return rows


def predict_invitations(webhooks: Iterable[Webhook], *, gone: Collection[str]) -> Rows:
    """Return the accepted invitations of whoever is not gone."""
    rows: dict[str, Row] = {}
    for key, told in _collect(webhooks, "organizationInvitation.").items():
        winner = max(told, key=_order)
        data = winner[1]
        if data["user_id"] not in gone:
            rows[key] = keys(key) | _version(winner)
            rows[key] |= {
                "organization_id": to_id(data["organization_id"]),
                "user_id": to_id(data["user_id"]),
                "role": data["role"],
                "created_at": to_time(data["created_at"]),
                "accepted_at": to_time(data["updated_at"]),
            }
    return rows


def _collect(webhooks: Iterable[Webhook], prefix: str) -> Mapping[str, list[Told]]:
    """Return Clerk's id -> what is told of it by events of some types."""
    told = defaultdict[str, list["Told"]](list)
    for webhook in webhooks:
        if webhook.type.startswith(prefix):
            data = webhook.data
            told[data["id"]].append((webhook, data))
    return told


def _kind(one: Told) -> str:
    return one[0].type.rpartition(".")[2]


def _order(one: Told) -> tuple[int, int, str]:
    webhook, data = one
    return data["updated_at"], webhook.told_at, webhook.event_id


def _age(data: Mapping[str, Any]) -> Row:
    return {name: to_time(data[name]) for name in ("created_at", "updated_at")}


def _version(winner: Told) -> Row:
    names = ("version", "version_timestamp", "version_event_id")
    return dict(zip(names, _order(winner), strict=True))
