"""The organization that a session acts in: claims of version 1 or 2 in, one shape out. No I/O.

Version 2 packs permissions: the n-th number of `o.fpm` belongs to the n-th feature of `fea`, and
each of its bits, the lowest first, to a name in `o.per`.
https://clerk.com/docs/guides/sessions/session-tokens
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_MASK_DIGITS: Final = 100
"""A mask has a bit for each permission: no organization has some three hundred of them."""


@dataclass(frozen=True, kw_only=True)
class Organization:
    """Where a session acts, and as what, as its token says; up to a minute old."""

    id: str
    slug: str | None
    role: str | None
    """Without the prefix that version 1 writes: `admin`, not `org:admin`."""
    permissions: frozenset[str]
    """`org:<feature>:<permission>`, in both versions."""


def parse_organization(claims: Mapping[str, Any]) -> Organization | None:
    """Return the active organization, None without one or where the claims make no sense."""
    packed = claims.get("o")
    if isinstance(packed, dict):
        return _build(
            packed.get("id"),
            slug=packed.get("slg"),
            role=packed.get("rol"),
            permissions=frozenset(_unpack(claims.get("fea"), packed.get("per"), packed.get("fpm"))),
        )
    plain = claims.get("org_permissions")
    listed = plain if isinstance(plain, list) else []
    return _build(
        claims.get("org_id"),
        slug=claims.get("org_slug"),
        role=claims.get("org_role"),
        permissions=frozenset(each for each in listed if isinstance(each, str)),
    )


def _build(
    id_: object, *, slug: object, role: object, permissions: frozenset[str]
) -> Organization | None:
    if not isinstance(id_, str) or not id_:
        return None
    return Organization(
        id=id_,
        slug=slug if isinstance(slug, str) else None,
        role=role.removeprefix("org:") if isinstance(role, str) else None,
        permissions=permissions,
    )


def _unpack(features: object, permissions: object, masks: object) -> Iterator[str]:
    if not (isinstance(features, str) and isinstance(permissions, str) and isinstance(masks, str)):
        return
    names = [name.strip() for name in permissions.split(",")]
    # Clerk's documentation pairs numbers with all of `fea`, its JavaScript only with those of
    # organizations. They differ where a token has both; Clerk issues none.
    for feature, mask in zip(features.split(","), masks.split(","), strict=False):
        scope, _, feature_name = feature.strip().partition(":")
        if "o" not in scope or not feature_name:
            continue
        bits = _read_mask(mask.strip())
        for place, name in enumerate(names):
            if name and bits >> place & 1:
                yield f"org:{feature_name}:{name}"


def _read_mask(text: str) -> int:
    readable = text.isascii() and text.isdecimal() and len(text) <= MAX_MASK_DIGITS
    return int(text) if readable else 0
