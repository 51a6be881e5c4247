"""What Clerk keeps of a user, an organization, a membership and a session when it is new.

The fields are those of the User, Organization, OrganizationMembership and Session of Clerk's
OpenAPI document of its Backend API, version 2026-05-12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.samples import invent_id

if TYPE_CHECKING:
    from random import Random

Thing = dict[str, Any]
"""One of them, as its JSON."""

DAY_MS: Final = 86_400_000

ROLES: Final = {
    "org:admin": ("Admin", ("org:sys_profile:manage", "org:sys_memberships:manage")),
    "org:member": ("Member", ("org:sys_memberships:read",)),
}
_IMAGE: Final = "https://img.clerk.com/eyJ0eXBlIjoiZGVmYXVsdCIsImlpZCI6Imluc18zN1pxIiwicmlkIjoi"


def new_user(user_id: str, *, at_ms: int, updated_ms: int) -> Thing:
    """Return a user of whom nothing but the id is known."""
    return {
        "id": user_id,
        "object": "user",
        "username": None,
        "first_name": None,
        "last_name": None,
        "locale": None,
        "profile_image_url": "https://www.gravatar.com/avatar?d=mp",
        "image_url": _IMAGE + user_id,
        "has_image": False,
        "primary_email_address_id": None,
        "primary_phone_number_id": None,
        "primary_web3_wallet_id": None,
        "password_enabled": False,
        "two_factor_enabled": False,
        "totp_enabled": False,
        "backup_code_enabled": False,
        "email_addresses": [],
        "phone_numbers": [],
        "web3_wallets": [],
        "passkeys": [],
        "external_accounts": [],
        "saml_accounts": [],
        "enterprise_accounts": [],
        "password_last_updated_at": None,
        "public_metadata": {},
        "private_metadata": {},
        "unsafe_metadata": {},
        "external_id": None,
        "last_sign_in_at": None,
        "banned": False,
        "locked": False,
        "deprovisioned": False,
        "lockout_expires_in_seconds": None,
        "verification_attempts_remaining": 100,
        "created_at": at_ms,
        "updated_at": updated_ms,
        "delete_self_enabled": True,
        "bypass_client_trust": False,
        "create_organization_enabled": True,
        "last_active_at": at_ms,
        "mfa_enabled_at": None,
        "mfa_disabled_at": None,
        "legal_accepted_at": None,
    }


def new_email(address: str, *, at_ms: int, random: Random) -> Thing:
    """Return a verified e-mail address, written down shortly before its user."""
    return {
        "id": invent_id("idn", random),
        "object": "email_address",
        "email_address": address,
        "reserved": False,
        "verification": {
            "object": "verification_otp",
            "status": "verified",
            "strategy": "email_code",
            "attempts": 1,
            "expire_at": at_ms + 600_000,
        },
        "linked_to": [],
        "matches_sso_connection": False,
        "created_at": at_ms - 8_700,
        "updated_at": at_ms,
    }


def new_organization(organization_id: str, *, name: str, at_ms: int) -> Thing:
    """Return an organization without members."""
    return {
        "object": "organization",
        "id": organization_id,
        "name": name,
        "slug": f"{name.lower().replace(' ', '-')}-{organization_id[-6:].lower()}",
        "image_url": _IMAGE + organization_id,
        "logo_url": None,
        "has_image": False,
        "members_count": 0,
        "pending_invitations_count": 0,
        "max_allowed_memberships": 5,
        "admin_delete_enabled": True,
        "public_metadata": {},
        "private_metadata": {},
        "created_at": at_ms,
        "updated_at": at_ms,
    }


def new_membership(
    membership_id: str, *, organization: Thing, user: Thing, role: str, at_ms: int
) -> Thing:
    """Return what makes the user a member; its organization is the very same object."""
    return {
        "object": "organization_membership",
        "id": membership_id,
        "public_metadata": {},
        "private_metadata": {},
        "organization": organization,
        "public_user_data": public_user_data(user),
        "created_at": at_ms,
        "updated_at": at_ms,
        **role_fields(role),
    }


def role_fields(role: str) -> Thing:
    """Return what a membership says about its role; one that Clerk does not have is custom."""
    name, permissions = ROLES.get(role, (role.removeprefix("org:").title(), ()))
    return {"role": role, "role_name": name, "permissions": list(permissions)}


def public_user_data(user: Thing) -> Thing:
    """Return what a membership says about its user."""
    return {
        "user_id": user["id"],
        "first_name": user["first_name"],
        "last_name": user["last_name"],
        "profile_image_url": user["profile_image_url"],
        "image_url": user["image_url"],
        "has_image": user["has_image"],
        "identifier": primary_email(user) or user["username"],
        "username": user["username"],
        "banned": user["banned"],
        "deprovisioned": user["deprovisioned"],
    }


def primary_email(user: Thing) -> str | None:
    """Return the user's primary e-mail address."""
    for each in user["email_addresses"]:
        if each["id"] == user["primary_email_address_id"]:
            address: str = each["email_address"]
            return address
    return None


def new_session(session_id: str, *, user_id: str, at_ms: int, random: Random) -> Thing:
    """Return a session that has just begun."""
    return {
        "object": "session",
        "id": session_id,
        "user_id": user_id,
        "client_id": invent_id("client", random),
        "actor": None,
        "status": "active",
        "last_active_organization_id": None,
        "last_active_at": at_ms,
        "latest_activity": {
            "object": "session_activity",
            "id": invent_id("sess_activity", random),
            "device_type": "Macintosh",
            "is_mobile": False,
            "browser_name": "Chrome",
            "browser_version": "143.0.0.0",
            "ip_address": "203.0.113.24",
            "city": "Lisbon",
            "country": "PT",
        },
        "expire_at": at_ms + 7 * DAY_MS,
        "abandon_at": at_ms + 30 * DAY_MS,
        "created_at": at_ms,
        "updated_at": at_ms,
        "tasks": None,
    }
