"""What the tables must hold of what Clerk has, read from Clerk's own JSON: nothing of workers/."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import asyncpg

    from deploy.standin.world import World

    Pool = asyncpg.Pool[asyncpg.Record]
    Things = Mapping[str, Mapping[str, Any]]
    Found = Mapping[str, Things]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_JSON: Final = ("public_metadata", "permissions")
_OF_THE_EVENT: Final = ("version_timestamp", "version_event_id", "last_event_at")
_PERSONAL: Final = ("email", "first_name", "last_name", "username", "image_url", "external_id")


async def untrue(pool: Pool, world: World, *, held: bool = False) -> list[str]:
    """Return a line for whoever and whatever is otherwise in the tables than at Clerk.

    `held`: the data of the deleted is held back, not erased.
    """
    users = {key: _user(each) for key, each in world.users.items()}
    organizations = {key: _organization(each) for key, each in world.organizations.items()}
    memberships = {key: _membership(each) for key, each in world.memberships.items()}
    return [
        *_differing(users, await _rows(pool, _USERS)),
        *_differing(organizations, await _rows(pool, _ORGANIZATIONS)),
        *_differing(memberships, await _rows(pool, _MEMBERSHIPS)),
        *[
            f"{key} is deleted here: at Clerk {key in users}, left {left}"
            for key, left in (await _left(pool)).items()
            if key in users or (left and not held)
        ],
    ]


async def unknown(pool: Pool, world: World, those: Collection[str]) -> list[str]:
    """Return which of those ids are still at Clerk, and not here, or only their names."""
    here = {
        key
        for query in (_USERS, _ORGANIZATIONS, _MEMBERSHIPS)
        for key, row in (await _rows(pool, query)).items()
        if row["version"]
    }
    return sorted(at_clerk(world).intersection(those) - here)


def at_clerk(world: World) -> set[str]:
    """Return the ids of all that a backfill can find."""
    return {*world.users, *world.organizations, *world.memberships}


async def overlooked(pool: Pool, world: World) -> list[str]:
    """Return a line for every user of Clerk's who is otherwise in the tables."""
    users = {key: _user(each) for key, each in world.users.items()}
    rows = await _rows(pool, _USERS)
    return list(_differing(users, {key: row for key, row in rows.items() if key in users}))


async def wrongly_open(pool: Pool, world: World) -> list[str]:
    """Return a line for every session that is open here and not at Clerk."""
    return [
        f"{key} of {row['owner']} is {row['status']} here"
        for key, row in (await _rows(pool, _OPEN)).items()
        if world.sessions.get(key, {}).get("status") != row["status"]
    ]


async def inactive(pool: Pool, world: World) -> list[str]:
    """Return a line for every user whose last activity is before that which Clerk has."""
    return [
        f"{key}: last active {row['last_active_at']}"
        for key, row in (await _rows(pool, _USERS)).items()
        if (row["last_active_at"] or _EPOCH) < (_time(world.users[key]["last_active_at"]) or _EPOCH)
    ]


async def found(pool: Pool) -> Found:
    """Return the rows of all that lives, but for which event it was that said so."""
    queries = {"users": _USERS, "organizations": _ORGANIZATIONS, "memberships": _MEMBERSHIPS}
    return {
        table: {
            key: {name: value for name, value in row.items() if name not in _OF_THE_EVENT}
            for key, row in (await _rows(pool, query)).items()
        }
        for table, query in queries.items()
    }


def changed(before: Found, after: Found) -> list[str]:
    """Return a line for every difference."""
    return [line for table in before for line in _differing(before[table], after[table])]


def _user(data: Mapping[str, Any]) -> dict[str, Any]:
    addresses = {each["id"]: each for each in data["email_addresses"]}
    primary = addresses.get(data["primary_email_address_id"], {})
    flags = ("banned", "deprovisioned", "locked")
    texts = ("first_name", "last_name", "username", "image_url", "external_id", "public_metadata")
    return {name: data[name] for name in texts} | {
        "email": primary.get("email_address"),
        "email_verified": (primary.get("verification") or {}).get("status") == "verified",
        "role": "admin" if data["public_metadata"].get("role") == "admin" else "user",
        "status": next((flag for flag in flags if data[flag]), "active"),
        "last_sign_in_at": _time(data["last_sign_in_at"]),
        **_age(data),
    }


def _organization(data: Mapping[str, Any]) -> dict[str, Any]:
    texts = ("name", "slug", "image_url", "public_metadata")
    return {name: data[name] for name in texts} | {"status": "active"} | _age(data)


def _membership(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in ("role", "permissions", "public_metadata")} | {
        "organization": data["organization"]["id"],
        "member": data["public_user_data"]["user_id"],
        **_age(data),
    }


def _age(data: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: _time(data[name]) for name in ("created_at", "updated_at")}
    return times | {"version": data["updated_at"]}


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else _EPOCH + timedelta(milliseconds=ms)


def _differing(expected: Things, found: Things) -> Iterator[str]:
    for key in sorted(expected.keys() | found.keys()):
        want, have = expected.get(key), found.get(key)
        if want is None or have is None:
            if want is not have:
                yield f"{key}: expected {want}, found {have}"
            continue
        for name in want:
            if want[name] != have[name]:
                yield f"{key} {name}: expected {want[name]!r}, found {have[name]!r}"


async def _rows(pool: Pool, query: str) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for record in await pool.fetch(query):
        row = dict(record)
        row |= {name: json.loads(row[name]) for name in _JSON if name in row}
        rows[row.pop("clerk_id")] = row
    return rows


async def _left(pool: Pool) -> dict[str, list[str]]:
    """Return which personal data is left of each of the deleted."""
    gone = await _rows(pool, _GONE)
    return {key: [name for name in _PERSONAL if row[name]] for key, row in gone.items()}


_USERS: Final = "SELECT * FROM users WHERE status <> 'deleted'"
_ORGANIZATIONS: Final = "SELECT * FROM organizations WHERE status <> 'deleted'"
_MEMBERSHIPS: Final = """
    SELECT held.*, organizations.clerk_id AS organization, users.clerk_id AS member
    FROM organization_memberships AS held
    JOIN organizations ON organizations.id = held.organization_id
    JOIN users ON users.id = held.user_id
    WHERE held.deleted_at IS NULL AND organizations.deleted_at IS NULL AND users.deleted_at IS NULL
"""
_GONE: Final = "SELECT * FROM users WHERE status = 'deleted'"
_OPEN: Final = """
    SELECT sessions.clerk_id, sessions.status, users.clerk_id AS owner
    FROM sessions JOIN users ON users.id = sessions.user_id
    WHERE sessions.status IN ('active', 'pending')
"""
