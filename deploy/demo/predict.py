"""Predict the rows of `users` from the set of events: a second opinion, with none of our code.

Clerk's rules, as short as they can be said: the newest snapshot of a user wins; a deletion wins
over everything and leaves nothing personal; the two times of last activity only grow.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from deploy.demo.plan import Fate
from schema.postgres.ids import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.demo.plan import Webhook

Row = dict[str, Any]
"""Column -> value."""


def predict_users(webhooks: Iterable[Webhook]) -> Mapping[str, Row]:
    """Return clerk user id -> the row that must be there in the end."""
    histories = defaultdict[str, list["Webhook"]](list)
    for webhook in webhooks:
        if webhook.fate is Fate.USER and webhook.user_id:
            histories[webhook.user_id].append(webhook)
    return {clerk_id: _row(clerk_id, history) for clerk_id, history in histories.items()}


def winners(webhooks: Iterable[Webhook]) -> set[str]:
    """Return the svix-ids of the events that decide a row: these must have been applied."""
    return {row["version_event_id"] for row in predict_users(webhooks).values()}


def _row(clerk_id: str, history: Sequence[Webhook]) -> Row:
    key = {"id": uuid.uuid5(NAMESPACE, clerk_id), "clerk_id": clerk_id}
    for webhook in history:
        if webhook.deletes:
            return key | _tombstone(webhook)
    return key | _living(history)


def _tombstone(deletion: Webhook) -> Row:
    personal = ("email", "first_name", "last_name", "username", "image_url", "external_id")
    times = ("last_sign_in_at", "last_active_at", "created_at", "updated_at")
    nothing = dict.fromkeys((*personal, *times))
    return nothing | {
        "email_verified": False,
        "role": "user",
        "status": "deleted",
        "public_metadata": {},
        "deleted_at": _time(deletion.told_at),
        "version": deletion.told_at,
        "version_timestamp": deletion.told_at,
        "version_event_id": deletion.event_id,
    }


def _living(history: Sequence[Webhook]) -> Row:
    told = [(webhook, webhook.snapshot) for webhook in history if webhook.snapshot]
    webhook, user = max(told, key=lambda one: (one[1].updated_at, one[0].told_at, one[0].event_id))
    flags = ("banned", "deprovisioned", "locked")
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
        "last_sign_in_at": _latest(each.last_sign_in_at for _, each in told),
        "last_active_at": _latest(each.last_active_at for _, each in told),
        "created_at": _time(user.created_at),
        "updated_at": _time(user.updated_at),
        "deleted_at": None,
        "version": user.updated_at,
        "version_timestamp": webhook.told_at,
        "version_event_id": webhook.event_id,
    }


def _latest(times: Iterable[int | None]) -> datetime | None:
    known = [ms for ms in times if ms is not None]
    return _time(max(known)) if known else None


def _time(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
