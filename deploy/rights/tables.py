"""What each process may do to which table, and with which columns where it is not with all.

That is what its statements do, neither more nor less: a test has PostgreSQL itself say what each
of them needs. `clerkwork migrate` brings the database to this state. Ingest and the canary have
no database; `migrate`, `maintain` and `rebuild` change the tables themselves, as their owner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REVISIONS: Final = "alembic_version"
"""The table that says at which revision the others are."""

_MENDING: Final = {
    "line_stops": "SELECT, UPDATE (released_at, allowance)",
    "dead_letters": "SELECT, UPDATE (state, operation_id)",
    "operations": "SELECT, INSERT, UPDATE (done, finished_at)",
}
"""To let stopped partitions go on and to deal with dead letters, which the audit keeps."""

TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "worker": {
        "users": "SELECT, INSERT, UPDATE",
        "user_data": "SELECT, INSERT, UPDATE, DELETE",
        "user_names": "SELECT, INSERT, UPDATE, DELETE",
        "sessions": "SELECT, INSERT, UPDATE, DELETE",
        "organizations": "SELECT, INSERT, UPDATE",
        "organization_memberships": "SELECT, INSERT, UPDATE, DELETE",
        "organization_invitations": "SELECT, INSERT, UPDATE, DELETE",
        "posts": "SELECT, INSERT, UPDATE, DELETE",
        "events": "SELECT, INSERT, UPDATE, DELETE",
        "outbox": "SELECT, INSERT, UPDATE (public), DELETE",
        "relay_progress": "SELECT",
        "applied_offsets": "SELECT, INSERT, UPDATE",
        "line_stops": "SELECT, INSERT, UPDATE",
        "dead_letters": "SELECT, INSERT, UPDATE (clerk_user_id)",
    },
    "relay": {
        "outbox": "SELECT (position, topic, key, type, state, traceparent)",
        "relay_progress": "SELECT (name, position, published_at), INSERT,"
        " UPDATE (position, published_at)",
    },
    "api": {
        "users": "SELECT",
        "user_data": "SELECT",
        "sessions": "SELECT",
        "organizations": "SELECT",
        "organization_memberships": "SELECT",
        "posts": "SELECT",
        "events": "SELECT",
        "outbox": "SELECT",
        "relay_progress": "SELECT",
    },
    "desk": {
        "users": "SELECT (id, role, status)",
        "sessions": "SELECT (id, status)",
        "outbox": "SELECT (position, topic, key, type, owner)",
        "events": "SELECT",
        "relay_progress": "SELECT",
        "applied_offsets": "SELECT",
        **_MENDING,
    },
    "operator": {
        "users": "SELECT,"
        " UPDATE (status, deleted_at, deletion_event_id, erase_at, held_status, restored_at)",
        "sessions": "SELECT",
        "organizations": "SELECT",
        "organization_memberships": "SELECT",
        "posts": "SELECT",
        "events": "SELECT",
        # The doctor counts what lies in no month; all others find it through the whole.
        "events_default": "SELECT (occurred_at)",
        "outbox": "SELECT, INSERT, UPDATE (public), DELETE",
        "relay_progress": "SELECT",
        "applied_offsets": "SELECT",
        "sweeps": "SELECT, INSERT, UPDATE",
        REVISIONS: "SELECT",
        **_MENDING,
    },
}
"""Process -> table -> privileges."""

TEMPORARY: Final = frozenset({"operator"})
"""Who makes temporary tables: reconcile compares in them."""

_PRIVILEGE: Final = re.compile(r"(?P<name>[A-Z]+)(?: \((?P<columns>[^)]+)\))?")


class Right(NamedTuple):
    """Something that a role may do to a table, or to one of its columns."""

    role: str
    table: str
    privilege: str
    column: str | None


def role_of(process: str) -> str:
    """Return the role, without a login, that users of PostgreSQL's are put in for a process."""
    return f"clerkwork_{process}"


ROLES: Final = tuple(map(role_of, TABLES))
"""Every role."""


def declared_rights() -> Iterator[Right]:
    """Yield all that the roles may do."""
    for process, tables in TABLES.items():
        for table, privileges in tables.items():
            for found in _PRIVILEGE.finditer(privileges):
                for column in (found["columns"] or "").split(", "):
                    yield Right(role_of(process), table, found["name"], column or None)
