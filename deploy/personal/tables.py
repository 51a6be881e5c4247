"""What each table holds of people, column by column; tests hold it against the live database.

*Personal* tells something about somebody; an *identifier* leads to somebody, and outlives them
where it is said: then it leads to nothing any more. The rest is about no person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What a table holds of people."""

    personal: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    neither: tuple[str, ...] = ()
    why: str
    readers: str
    """Who reads it, besides an operator with SQL."""
    until: str
    """What erases it, and when."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are classified."""
        return *self.personal, *self.identifiers, *self.neither


_VERSIONS: Final = ("version", "version_timestamp")
_EVENT: Final = "version_event_id"
_PLACE: Final = ("topic", "partition", "offset")
_WITH_USER: Final = "the user's deletion deletes the rows"

TABLES: Final[Mapping[str, Holding]] = {
    "users": Holding(
        personal=(
            *("email", "email_verified", "first_name", "last_name", "username", "image_url"),
            *("external_id", "role", "status", "public_metadata", "signup_source", "held_status"),
            *("last_sign_in_at", "last_active_at", "created_at", "updated_at", "last_event_at"),
            *_VERSIONS,
        ),
        identifiers=("id", "clerk_id", _EVENT, "deletion_event_id"),
        neither=("deleted_at", "erase_at", "restored_at"),
        why="who signs in",
        readers="the API, as far as the caller may; other services, on `user.changes`",
        until="the user's deletion, or CLERKWORK_ERASE_AFTER later `maintain` or at once `erase`,"
        " leaves ids and the time of the deletion: a late webhook must not bring anybody back",
    ),
    "user_data": Holding(
        personal=("value", "version"),
        identifiers=("user_id", _EVENT),
        neither=("key",),
        why="what users have set, and what is derived from their events",
        readers="the user and administrators, by the API",
        until=_WITH_USER,
    ),
    "user_names": Holding(
        personal=("first_name", "last_name", *_VERSIONS),
        identifiers=("user_id", _EVENT),
        why="name_history loses no change, in whatever order events come",
        readers="workers",
        until=_WITH_USER,
    ),
    "sessions": Holding(
        personal=(
            *("device", "ip_address", "impersonated", "status", "last_active_at"),
            *("created_at", "updated_at", "expire_at", "abandon_at", *_VERSIONS),
            "activity_version",
        ),
        identifiers=("id", "clerk_id", "user_id", _EVENT, "activity_event_id"),
        why="login_history, and whether a session is over",
        readers="the user and administrators, by the API",
        until=_WITH_USER,
    ),
    "organizations": Holding(
        personal=("name", "slug", "image_url", "public_metadata"),
        identifiers=("id", "clerk_id", _EVENT),
        neither=("status", "created_at", "updated_at", "deleted_at", *_VERSIONS),
        why="who belongs where; a name may be that of a person",
        readers="members and administrators, by the API",
        until="the organization's deletion leaves ids and times",
    ),
    "organization_memberships": Holding(
        personal=(
            *("role", "permissions", "public_metadata"),
            *("created_at", "updated_at", "deleted_at", *_VERSIONS),
        ),
        identifiers=("id", "clerk_id", "organization_id", "user_id", _EVENT),
        why="what members may do",
        readers="members and administrators, by the API",
        until=f"{_WITH_USER}, the organization's too",
    ),
    "organization_invitations": Holding(
        personal=("role", "created_at", "accepted_at", *_VERSIONS),
        identifiers=("id", "clerk_id", "organization_id", "user_id", _EVENT),
        why="signup_source",
        readers="workers",
        until=_WITH_USER,
    ),
    "posts": Holding(
        personal=(
            *("title", "body", "status", "created_at", "updated_at", "deleted_at"),
            *("version", "title_version", "body_version", "status_version"),
        ),
        identifiers=("id", "user_id", "title_event_id", "body_event_id", "status_event_id"),
        why="what users write",
        readers="everybody who is signed in, once published; other services, on `post.changes`",
        until=_WITH_USER,
    ),
    "outbox": Holding(
        personal=("state",),
        identifiers=("key", "owner", "traceparent"),
        neither=("position", "topic", "type", "public"),
        why="what the relay and /v1/changes tell",
        readers="the relay, the API",
        until="the user's deletion deletes all but the nulls; `maintain` the rest, a week old",
    ),
    "events": Holding(
        identifiers=("event_id", "clerk_user_id"),
        neither=(
            *("occurred_at", "type", "received_at", "applied_at", "outcome", "reason"),
            *_PLACE,
        ),
        why="what became of each event",
        readers="operators; users of their own events, by the API",
        until="the user's deletion takes the name off all events but the deletion itself;"
        " CLERKWORK_LEDGER_RETENTION_MONTHS",
    ),
    "dead_letters": Holding(
        identifiers=("event_id", "clerk_user_id", "operation_id"),
        neither=(
            *(*_PLACE, "dead_at", "source_topic", "source_partition", "source_offset", "type"),
            *("error_class", "error_code", "reason", "attempts", "first_failed_at", "replays"),
            *("edited", "state"),
        ),
        why="the index of the dead-letter topics",
        readers="operators, by `clerkwork dlq` and the desk",
        until="the user's deletion takes the name off; `maintain` deletes rows after 90 days",
    ),
    "operations": Holding(
        personal=("operator",),
        identifiers=("id", "selection"),
        neither=("action", "planned", "done", "started_at", "finished_at"),
        why="the audit: which operator did what; a selection may name a user",
        readers="operators",
        until="nothing: it is the proof of what was done, an erasure among it",
    ),
    "sweeps": Holding(
        identifiers=("cursor",),
        neither=(
            *("kind", "resource", "changed_until", "seen", "published"),
            *("started_at", "noted_at", "finished_at"),
        ),
        why="where backfill and reconcile go on",
        readers="these two",
        until="the end of each walk",
    ),
    "applied_offsets": Holding(
        neither=("topic", "partition", "next_offset", "applied_at"),
        why="how far workers are",
        readers="workers",
        until="nothing",
    ),
    "line_stops": Holding(
        neither=(
            *("topic", "partition", "rejects", "events", "reason", "stopped_at"),
            *("released_at", "allowance"),
        ),
        why="which partitions stand",
        readers="workers, operators",
        until="nothing",
    ),
    "relay_progress": Holding(
        neither=("name", "position", "published_at", "forgotten"),
        why="how far the relay is",
        readers="the relay, the API",
        until="nothing",
    ),
}
"""Table -> what it holds."""
