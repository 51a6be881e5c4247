"""What the tables do hold, in the model's words, and how that differs from what they must."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from schema.postgres.ids import derive_id
from tests.integration.workers.order.shapes import KEYS, Tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    from tests.integration.workers.order.facts import Data, Told

JSON: Final = {"public_metadata", "permissions", "value"}
LEDGER: Final = ("event_id", "occurred_at", "type", "clerk_user_id", "outcome")
CHANGED: Final = {"applied": "changed", "stale": "changed"}
PREFIXES: Final = ("user_", "sess_", "org_", "orgmem_", "orginv_")
MOST_DIFFERENCES: Final = 8
"""More than that tell no more."""


async def found_tables(pool: asyncpg.Pool[asyncpg.Record]) -> Tables:
    """Return every row of every table, as the model would have it."""
    tables: Tables = {}
    for table, keys in KEYS.items():
        rows = [_translate(table, dict(row)) for row in await pool.fetch(f"TABLE {table}")]
        tables[table] = {tuple(row[name] for name in keys): row for row in rows}
        assert len(tables[table]) == len(rows)
    return tables


def _translate(table: str, row: Data) -> Data:
    row = {name: json.loads(row[name]) if name in JSON and row[name] else row[name] for name in row}
    if table == "users":
        return row | {name: row[name] is not None for name in ("erase_at", "restored_at")}
    if table == "events":
        row["outcome"] = CHANGED.get(row["outcome"], row["outcome"])
        return {name: row[name] for name in LEDGER}
    return row


def differences(expected: Tables, found: Tables) -> list[str]:
    """Return a line for each column of each row that is not as it must be."""
    return [
        f"{table} {_shown(key)} {column}: expected {want!r}, found {have!r}"
        for table in KEYS
        for key in sorted(expected[table].keys() | found[table].keys(), key=repr)
        for column, want, have in _columns(expected[table].get(key), found[table].get(key))
    ]


def about(tables: Tables, history: Iterable[Told]) -> Tables:
    """Return the rows of whom and what a history names, and of its events."""
    told = list(history)
    ids = {derive_id(each) for each in _clerk_ids([each.body for each in told])}
    posts = {UUID(each.body["data"]["id"]) for each in told if _is_of_post(each)}
    mine = ids | posts | {each.event_id for each in told}
    return {
        table: {key: row for key, row in rows.items() if mine.intersection(key)}
        for table, rows in tables.items()
    }


def _is_of_post(told: Told) -> bool:
    return told.body["type"].startswith("clerkwork.post.") and "-" in told.body["data"]["id"]


def _columns(expected: Data | None, found: Data | None) -> Iterable[tuple[str, Any, Any]]:
    if expected is None or found is None:
        if expected is not found:
            yield "row", expected, found
        return
    for column in sorted(expected.keys() | found.keys()):
        want, have = expected.get(column, "no column"), found.get(column, "no column")
        if want != have:
            yield column, want, have


def _shown(key: tuple[Any, ...]) -> str:
    return "/".join(str(part) for part in key)


def describe(case: str, history: Iterable[Told], lines: list[str]) -> str:
    """Return what one needs to know of a case that ended otherwise."""
    history = list(history)
    text = "\n".join(json.dumps(_essence(told)) for told in history)
    shown = "\n".join(lines[:MOST_DIFFERENCES])
    ids = sorted(set(_clerk_ids([told.body for told in history])))
    names = "\n".join(f"{derive_id(each)} {each}" for each in ids if str(derive_id(each)) in shown)
    return f"{case}\n{shown}\n({len(lines)} differences)\n{names}\nafter, in any order:\n{text}"


def _essence(told: Told) -> Data:
    data = {name: value for name, value in told.body["data"].items() if name not in _NOISE}
    if isinstance(data.get("user"), dict):
        data["user"] = {name: value for name, value in data["user"].items() if name not in _NOISE}
    envelope = {name: told.body[name] for name in ("type", "timestamp") if name in told.body}
    return {"svix-id": told.event_id} | envelope | {"data": data}


def _clerk_ids(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _clerk_ids(each)
    elif isinstance(value, list):
        for each in value:
            yield from _clerk_ids(each)
    elif isinstance(value, str) and value.startswith(
        ("user_", "sess_", "org_", "orgmem", "orginv")
    ):
        yield value


_NOISE: Final = {
    *("object", "locale", "profile_image_url", "has_image", "primary_phone_number_id"),
    *("primary_web3_wallet_id", "password_enabled", "two_factor_enabled", "totp_enabled"),
    *("backup_code_enabled", "web3_wallets", "passkeys", "external_accounts", "saml_accounts"),
    *("enterprise_accounts", "password_last_updated_at", "private_metadata", "unsafe_metadata"),
    *("lockout_expires_in_seconds", "verification_attempts_remaining", "delete_self_enabled"),
    *("bypass_client_trust", "create_organization_enabled", "mfa_enabled_at", "mfa_disabled_at"),
    *("legal_accepted_at", "requires_password_reset", "client_id", "body", "body_plain", "data"),
    *("logo_url", "max_allowed_memberships", "admin_delete_enabled", "created_by", "role_name"),
    *("public_inviter_data", "public_organization_data", "url", "inviter_id", "expires_at"),
    "last_active_organization_id",
}
"""Fields that nothing reads."""
