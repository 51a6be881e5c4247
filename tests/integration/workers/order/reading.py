"""From one event to the facts it tells, written from the contract alone, plain and slow.

What the contract calls a bad event raises `BadEventError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from tests.integration.workers.order.facts import (
    LOOKED_UP,
    BadEventError,
    Data,
    Fact,
    InvitationTold,
    MembershipTold,
    OrganizationDeletion,
    OrganizationNamed,
    OrganizationSnapshot,
    SessionTold,
    Told,
    UserDeletion,
    UserNamed,
    UserSnapshot,
    Version,
    moment,
    to_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

SNAPSHOT: Final = "clerkwork.snapshot."
ABSENCE: Final = "clerkwork.absence."
ENDS: Final = {"ended", "removed", "revoked"}
FINAL: Final = {"session.ended", "session.removed", "session.revoked"}
OPEN: Final = {"session.created": "active", "session.pending": "pending"}
TOLD: Final = {"pending", "active", "expired", "abandoned", "replaced"}


def read(told: Told) -> list[Fact]:
    """Return everything that an event says; nothing means that it is ignored."""
    reader = _READERS.get(told.body["type"])
    return reader(told, told.body["data"]) if reader else []


def _bad(reason: str) -> NoReturn:
    raise BadEventError(reason)


def _raw(told: Told) -> bytes:
    return told.event_id.encode()


def _version(told: Told, data: Data) -> Version:
    looked = told.body["type"].startswith((SNAPSHOT, ABSENCE))
    return (to_ms(data.get("updated_at")), LOOKED_UP if looked else told.at or 0, _raw(told))


def _time(data: Data, *names: str) -> datetime | None:
    """Return the first time that is there."""
    values = [data[name] for name in names if data.get(name) is not None]
    return moment(to_ms(values[0])) if values else None


def _text(data: Data, name: str) -> str | None:
    value: str | None = data.get(name)
    return _bad(f"NUL in {name}") if value is not None and "\x00" in value else value


def _json(data: Data, name: str, default: Any) -> Any:
    value = data.get(name, default)
    return _bad(f"NUL in {name}") if _has_nul(value) else value


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return any(_has_nul(each) for each in value)
    return isinstance(value, str) and "\x00" in value


def _named(told: Told, user: str) -> Fact:
    return UserNamed(clerk_id=user, version=(0, 0, b""), at=told.at)


def _user(told: Told, data: Data) -> Fact:
    primary = [
        address
        for address in data.get("email_addresses", [])
        if address["id"] == data.get("primary_email_address_id")
    ]
    email = primary[0] if primary else {}
    texts = ("first_name", "last_name", "username", "image_url", "external_id")
    metadata = _json(data, "public_metadata", {})
    statuses = [name for name in ("banned", "deprovisioned", "locked") if data.get(name)]
    return UserSnapshot(
        clerk_id=data["id"],
        version=_version(told, data),
        row={name: _text(data, name) for name in texts}
        | {
            "email": email.get("email_address"),
            "email_verified": (email.get("verification") or {}).get("status") == "verified",
            "role": "admin" if metadata.get("role") == "admin" else "user",
            "status": [*statuses, "active"][0],
            "public_metadata": metadata,
            "created_at": _time(data, "created_at", "updated_at"),
            "updated_at": _time(data, "updated_at"),
        },
        signed_in=_time(data, "last_sign_in_at"),
        active=_time(data, "last_active_at"),
        evidence=_evidence(data),
    )


def _evidence(user: Data) -> str:
    created = _time(user, "created_at")
    strategies = set()
    for address in [*user.get("email_addresses", []), *user.get("phone_numbers", [])]:
        since = _time(address, "created_at")
        if created and since and since <= created:
            strategies.add((address.get("verification") or {}).get("strategy"))
    return "invite" if "ticket" in strategies else "admin" if "admin" in strategies else "clerk"


def _session(told: Told, data: Data) -> list[Fact]:
    kind, user, nested = told.body["type"], data["user_id"], data.get("user")
    if nested is not None and nested["id"] != user:
        _bad("the nested user is somebody else")
    status = kind.partition(".")[2]
    if kind in OPEN:
        status = data["status"] if data.get("status") in TOLD else OPEN[kind]
    if kind.startswith(SNAPSHOT):
        status = data["status"] if data.get("status") in TOLD | ENDS else "pending"
    if kind.startswith(ABSENCE):
        status = "removed"
    session = SessionTold(
        clerk_id=data["id"],
        version=_version(told, data),
        row={
            "status": status,
            "impersonated": data.get("actor") is not None,
            "expire_at": _time(data, "expire_at"),
            "abandon_at": _time(data, "abandon_at"),
            "created_at": _time(data, "created_at", "updated_at"),
            "updated_at": _time(data, "updated_at"),
        },
        user=user,
        final=status in ENDS,
        active=_time(data, "last_active_at"),
        activity=_activity(data.get("latest_activity")),
    )
    return [_named(told, user), session, *([] if nested is None else [_user(told, nested)])]


def _activity(latest: Data | None) -> Data | None:
    if latest is None:
        return None
    parts = [_text(latest, name) for name in ("browser_name", "device_type")]
    device = " on ".join(part for part in parts if part)
    return {"device": device or None, "ip_address": _text(latest, "ip_address") or None}


def _organization(told: Told, data: Data) -> Fact:
    return OrganizationSnapshot(
        clerk_id=data["id"],
        version=_version(told, data),
        row={name: _text(data, name) for name in ("name", "slug", "image_url")}
        | {
            "public_metadata": _json(data, "public_metadata", {}),
            "created_at": _time(data, "created_at", "updated_at"),
            "updated_at": _time(data, "updated_at"),
        },
    )


def _membership(told: Told, data: Data) -> list[Fact]:
    user = (data.get("public_user_data") or {}).get("user_id")
    organization = data.get("organization") or {}
    if not (user and organization.get("id")):
        _bad("no user or no organization")
    absent = told.body["type"].startswith(ABSENCE)
    deleted = absent or told.body["type"].endswith(".deleted")
    membership = MembershipTold(
        clerk_id=data["id"],
        version=_version(told, data),
        row={
            "role": _text(data, "role"),
            "permissions": _json(data, "permissions", []),
            "public_metadata": _json(data, "public_metadata", {}),
            "created_at": _time(data, "created_at", "updated_at"),
            "updated_at": _time(data, "updated_at"),
            "deleted_at": moment(told.at or 0) if deleted else None,
        },
        user=user,
        organization=organization["id"],
        deleted=deleted,
    )
    if absent:
        named = OrganizationNamed(clerk_id=organization["id"], version=(0, 0, b""))
        return [_named(told, user), membership, named]
    return [_named(told, user), membership, _organization(told, organization)]


def _invitation(told: Told, data: Data) -> list[Fact]:
    user, organization = data.get("user_id"), data["organization_id"]
    if not user:
        return []  # nobody has an account yet
    invitation = InvitationTold(
        clerk_id=data["id"],
        version=_version(told, data),
        row={
            "role": _text(data, "role"),
            "created_at": _time(data, "created_at", "updated_at"),
            "accepted_at": _time(data, "updated_at"),
        },
        user=user,
        organization=organization,
    )
    named = OrganizationNamed(clerk_id=organization, version=(0, 0, b""))
    return [_named(told, user), named, invitation]


def _user_told(told: Told, data: Data) -> list[Fact]:
    return [_named(told, data["id"]), _user(told, data)]


def _user_deleted(told: Told, data: Data) -> list[Fact]:
    deletion = UserDeletion(clerk_id=data["id"], version=(0, told.at or 0, _raw(told)))
    return [_named(told, data["id"]), deletion]


def _organization_told(told: Told, data: Data) -> list[Fact]:
    return [_organization(told, data)]


def _organization_deleted(told: Told, data: Data) -> list[Fact]:
    return [OrganizationDeletion(clerk_id=data["id"], version=(0, told.at or 0, _raw(told)))]


_READERS: Final[Mapping[str, Callable[[Told, Data], list[Fact]]]] = {
    "user.created": _user_told,
    "user.updated": _user_told,
    "user.deleted": _user_deleted,
    **dict.fromkeys([*FINAL, *OPEN], _session),
    "organization.created": _organization_told,
    "organization.updated": _organization_told,
    "organization.deleted": _organization_deleted,
    "organizationMembership.created": _membership,
    "organizationMembership.updated": _membership,
    "organizationMembership.deleted": _membership,
    "organizationInvitation.accepted": _invitation,
    f"{SNAPSHOT}user": _user_told,
    f"{SNAPSHOT}session": _session,
    f"{SNAPSHOT}organization": _organization_told,
    f"{SNAPSHOT}organizationMembership": _membership,
    f"{ABSENCE}user": _user_deleted,
    f"{ABSENCE}session": _session,
    f"{ABSENCE}organization": _organization_deleted,
    f"{ABSENCE}organizationMembership": _membership,
}
