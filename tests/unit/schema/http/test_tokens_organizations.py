"""The organization of a session, in both versions of Clerk's claims."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.http.tokens.organizations import Organization, parse_organization

# The example of https://clerk.com/docs/guides/sessions/session-tokens
DOCUMENTED = {
    "fea": "o:dashboard,o:teams",
    "o": {"id": "org_1", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"},
}


def permissions(fea: object, per: object, fpm: object) -> set[str]:
    """Return what these claims permit."""
    found = parse_organization({"fea": fea, "o": {"id": "org_1", "per": per, "fpm": fpm}})
    assert found
    return set(found.permissions)


def test_both_versions_say_the_same() -> None:
    """Whoever reads the caller needs not know which token they had."""
    old = {
        "org_id": "org_1",
        "org_slug": "acme",
        "org_role": "org:admin",
        "org_permissions": ["org:dashboard:manage", "org:dashboard:read", "org:teams:read"],
    }
    expected = Organization(
        id="org_1",
        slug="acme",
        role="admin",
        permissions=frozenset(old["org_permissions"]),
    )

    assert parse_organization(DOCUMENTED) == expected
    assert parse_organization(old) == expected


@pytest.mark.parametrize(
    ("fea", "per", "fpm", "expected"),
    [
        ("o:a", "x,y,z", "5", {"org:a:x", "org:a:z"}),
        ("o:a", "x,y", "0", set()),
        ("u:a,o:b", "x", "1,1", {"org:b:x"}),
        ("uo:a", "x", "1", {"org:a:x"}),
        ("o:a, o:b", "x, y", "1, 2", {"org:a:x", "org:b:y"}),
        ("o:a", "x", "255", {"org:a:x"}),
        ("o:a,o:b", "x", "1", {"org:a:x"}),
        ("o:a", "x", "1,1", {"org:a:x"}),
        ("o:a", ",".join(f"p{n}" for n in range(70)), str(1 << 69), {"org:a:p69"}),
        ("o:a", "x", "9" * 5000, set()),
        ("o:a", "x", "-1", set()),
        ("o:a", "x", "\u0661", set()),
        ("a", "x", "1", set()),
        ("o:", "x", "1", set()),
        (None, "x", "1", set()),
        ("o:a", ["x"], "1", set()),
        ("o:a", "x", 1, set()),
    ],
)
def test_permissions_are_unpacked(
    fea: object, per: object, fpm: object, expected: set[str]
) -> None:
    """A bit for each name, the lowest first; a number for each feature; nonsense is nothing."""
    assert permissions(fea, per, fpm) == expected


@pytest.mark.parametrize(
    "claims", [{}, {"o": {}}, {"o": {"id": ""}}, {"o": {"id": 7}}, {"org_id": None}]
)
def test_without_an_id_there_is_no_organization(claims: dict[str, object]) -> None:
    """Most sessions act for nobody but their user."""
    assert parse_organization(claims) is None


@given(
    st.dictionaries(
        st.sampled_from(
            ["fea", "o", "org_id", "org_slug", "org_role", "org_permissions"],
        ),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["id", "slg", "rol", "per", "fpm"]), inner)
            ),
            max_leaves=8,
        ),
    )
)
def test_no_claim_breaks_a_request(claims: dict[str, object]) -> None:
    """Whatever Clerk writes one day: an organization or none."""
    found = parse_organization(claims)

    assert found is None or isinstance(found.id, str)
