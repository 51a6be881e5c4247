"""Predict every row from the set of events: a second opinion, with none of our code.

Clerk's rules, as short as they can be said: the newest snapshot wins; a deletion wins over
everything and leaves nothing personal; times of last activity only grow.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from deploy.demo.predict_data import predict_user_data
from deploy.demo.predict_parts import (
    predict_invitations,
    predict_memberships,
    predict_organizations,
    predict_sessions,
)
from deploy.demo.values import Row, keys, latest, to_time
from deploy.demo.webhook import Fate, Webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.demo.values import Tables


def predict(webhooks: Iterable[Webhook]) -> Tables:
    """Return table -> Clerk's id -> the row that must be there in the end.

    Of `user_data` a row is all that is known of a user, key by key.
    """
    projected = list({each.event_id: each for each in webhooks if _is_projected(each)}.values())
    histories = defaultdict[str, list[Webhook]](list)
    for webhook in projected:
        if webhook.user_id:
            histories[webhook.user_id].append(webhook)
    users = {clerk_id: _user(clerk_id, history) for clerk_id, history in histories.items()}
    organizations = predict_organizations(projected)
    gone = {key for rows in (users, organizations) for key in rows if _is_deleted(rows[key])}
    sessions = predict_sessions(projected, gone=gone)
    invitations = predict_invitations(projected, gone=gone)
    return {
        "users": users,
        "organizations": organizations,
        "sessions": sessions,
        "organization_memberships": predict_memberships(projected, gone=gone),
        "organization_invitations": invitations,
        "user_data": {
            clerk_id: predict_user_data(
                row, histories[clerk_id], sessions=sessions, invitations=invitations
            )
            for clerk_id, row in users.items()
            if clerk_id not in gone
        },
    }


def winners(tables: Tables) -> set[str]:
    """Return the svix-ids of the events that decide a row: these must have been applied."""
    rows = [row for table in tables.values() for row in table.values()]
    return {row["version_event_id"] for row in rows if row.get("version_event_id")}


def _is_projected(webhook: Webhook) -> bool:
    return webhook.fate is Fate.PROJECTED


def _is_deleted(row: Row) -> bool:
    return bool(row["status"] == "deleted")


def _user(clerk_id: str, history: Sequence[Webhook]) -> Row:
    nothing_held: Row = dict.fromkeys(("erase_at", "held_status", "restored_at"))
    row = keys(clerk_id) | nothing_held
    deletions = [webhook for webhook in history if webhook.deletes]
    if deletions:
        return row | _tombstone(max(deletions, key=lambda one: (one.told_at, one.event_id)))
    registers = {
        "deleted_at": None,
        "deletion_event_id": None,
        "last_event_at": latest(webhook.told_at for webhook in history),
    }
    return row | registers | (_living(history) or _stub())


def _nothing() -> Row:
    personal = ("email", "first_name", "last_name", "username", "image_url", "external_id")
    times = ("last_sign_in_at", "last_active_at", "created_at", "updated_at")
    nothing: Row = dict.fromkeys((*personal, *times, "signup_source"))
    return nothing | {"email_verified": False, "role": "user", "public_metadata": {}}


def _stub() -> Row:
    versions = {"version": 0, "version_timestamp": 0, "version_event_id": ""}
    return _nothing() | versions | {"status": "pending"}


def _tombstone(deletion: Webhook) -> Row:
    return _nothing() | {
        "status": "deleted",
        "last_event_at": None,
        "deleted_at": to_time(deletion.told_at),
        "deletion_event_id": deletion.event_id,
        "version": deletion.told_at,
        "version_timestamp": deletion.told_at,
        "version_event_id": deletion.event_id,
    }


def _living(history: Sequence[Webhook]) -> Row | None:
    told = [(webhook, webhook.snapshot) for webhook in history if webhook.snapshot]
    if not told:
        return None
    webhook, user = max(told, key=lambda one: (one[1].updated_at, one[0].told_at, one[0].event_id))
    flags = ("banned", "deprovisioned", "locked")
    sources = {each.signup_source for _, each in told}
    return {
        "email": user.email,
        "email_verified": user.email_verified,
        "first_name": user.person.first_name,
        "last_name": user.last_name,
        "username": user.username,
        "image_url": user.image_url,
        "external_id": user.external_id,
        "role": user.public_metadata.get("role", "user"),
        "status": next((flag for flag in flags if getattr(user, flag)), "active"),
        "public_metadata": dict(user.public_metadata),
        "last_sign_in_at": latest(each.last_sign_in_at for _, each in told),
        "last_active_at": latest(each.last_active_at for _, each in told),
        "created_at": to_time(user.created_at),
        "updated_at": to_time(user.updated_at),
        "signup_source": next(one for one in ("invite", "admin", "clerk") if one in sources),
        "version": user.updated_at,
        "version_timestamp": webhook.told_at,
        "version_event_id": webhook.event_id,
    }
