"""Snapshots: what we ourselves saw at Clerk, on the same topics and keys as Clerk's own events.

Clerk does not promise that every webhook arrives. What a look at its Backend API shows is published
like an event, so that ordering, ledger, change topics and rebuild hold for it too. Its type says
that it is no webhook, `ce_source` who looked.

How new a snapshot is, its `updated_at` says, and nothing else: the `timestamp` of its envelope,
when somebody looked, decides nothing, and of two that are as new the webhook wins. So looking again
never beats what Clerk has sent. Of two looks that show one version the greater id wins.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from schema.kafka.clerk import MalformedEventError, read_envelope, read_subject
from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.producer import Record
from schema.kafka.topics import ORG_EVENTS, USER_EVENTS

if TYPE_CHECKING:
    from schema.kafka.clerk import Subject

Kind = Literal["user", "organization", "organizationMembership", "session"]
"""What Clerk's API knows, named as before the dot of Clerk's event types."""

Looker = Literal["backfill", "reconcile", "api"]
"""Who looked."""

SNAPSHOT: Final = "clerkwork.snapshot."
"""Before the kind: the type of what Clerk has. `data` is as in Clerk's answer."""

ABSENCE: Final = "clerkwork.absence."
"""Before the kind: the type of what Clerk has no more. `data` is what is known of it here."""

_ID_PREFIX: Final = "look_"
"""Before `msg_`, as svix-ids begin: also a webhook that names no time wins."""

_SECRETS: Final = frozenset({"private_metadata", "backup_codes"})
"""Nothing reads them, so they are not kept, at whatever depth."""

_FOREIGN: Final = "_metadata"
"""How fields end whose insides are an application's: what it calls its own is left alone."""

_ID: Final = re.compile(r"[!-~]{1,128}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])


def write_snapshot(kind: Kind, answer: bytes, *, looker: Looker, seen_ms: int) -> Record:
    """Return the record of what Clerk's API answered; `seen_ms`: since when it is being looked.

    The same answer in the same look has the same id. Raises MalformedEventError, naming the field,
    when it is no JSON object or does not say what it is about.
    """
    return _write(SNAPSHOT + kind, kind, answer, looker=looker, seen_ms=seen_ms)


def write_absence(kind: Kind, known: bytes, *, looker: Looker, clock_ms: int) -> Record:
    """Return the record of what Clerk has no more; `clock_ms` is Clerk's clock when it said so.

    `known` is JSON in the shape of Clerk's own: for a user and an organization at least `id`, for
    a membership all that an event of its deletion has, for a session `id`, `user_id`, `updated_at`
    and, so that a rebuild need not know more, whatever else there is. Raises MalformedEventError as
    `write_snapshot` does.
    """
    return _write(ABSENCE + kind, kind, known, looker=looker, seen_ms=clock_ms)


def _write(type_: str, kind: Kind, text: bytes, *, looker: Looker, seen_ms: int) -> Record:
    data = _without_secrets(text)
    body = msgspec.json.encode({"type": type_, "timestamp": seen_ms, "data": data})
    subject = read_subject(read_envelope(body))
    _require_id(subject.id, "$.data.id")
    user_id = None if kind == "organization" else _require_id(*_user_id(kind, subject))
    event_id = _ID_PREFIX + hashlib.sha256(body).hexdigest()[:32]
    headers = EventHeaders(
        event_id=event_id,
        event_type=type_,
        source=f"clerkwork/{looker}",
        occurred_at=_EPOCH + timedelta(milliseconds=seen_ms),
        subject=user_id,
        request_id=event_id,
    )
    return Record(
        topic=(USER_EVENTS if user_id else ORG_EVENTS).name,
        key=(user_id or subject.id or "").encode(),
        value=body,
        headers=write_event_headers(headers),
    )


def _user_id(kind: Kind, subject: Subject) -> tuple[str | None, str]:
    """Return whom it belongs to, and where that stands."""
    if kind == "organizationMembership":
        member = subject.public_user_data
        return member.user_id if member else None, "$.data.public_user_data.user_id"
    return (subject.id, "$.data.id") if kind == "user" else (subject.user_id, "$.data.user_id")


def _require_id(found: str | None, field: str) -> str:
    if not found or not _ID.fullmatch(found):
        raise MalformedEventError(field, "not an id of Clerk's")
    return found


def _without_secrets(text: bytes) -> dict[str, Any]:
    """Return a JSON object to encode again; all but the secrets is as it was written."""
    try:
        text.decode()
        return _strip_object(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise MalformedEventError("$", "not a JSON object") from None


def _strip_object(text: bytes) -> dict[str, Any]:
    return {
        name: each if name.endswith(_FOREIGN) else _strip(each)
        for name, each in _OBJECT.decode(text).items()
        if name not in _SECRETS
    }


def _strip(raw: msgspec.Raw) -> Any:
    text = bytes(raw)
    # A name can be written with escapes too.
    if b"\\" not in text and not any(each.encode() in text for each in _SECRETS):
        return raw
    if text.startswith(b"{"):
        return _strip_object(text)
    return [_strip(each) for each in _ARRAY.decode(text)] if text.startswith(b"[") else raw
