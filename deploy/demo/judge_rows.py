"""Judge what became of the events: the rows, and what the API tells of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.demo.finding import Finding, compare
from deploy.demo.present import present

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.demo.collect import Evidence
    from deploy.demo.values import Rows, Tables

PERSONAL: Final = ("email", "first_name", "last_name", "username", "image_url", "external_id")
"""Columns of a user that a tombstone has no value in."""
OWNED: Final = ("sessions", "organization_memberships", "organization_invitations")
"""Tables whose rows go with their user."""


def one_result(tables: Tables, evidence: Evidence) -> Finding:
    """Judge whether every table is, to the last column, what the set of events says."""
    rows = sum(map(len, tables.values()))
    found = sum(map(len, evidence.tables.values()))
    equal = sum(
        evidence.tables[table].get(key) == row
        for table, expected in tables.items()
        for key, row in expected.items()
    )
    return Finding(
        promise="Any order, any number of times, one result",
        expected=f"{rows} rows of {len(tables)} tables, equal in every column",
        found=f"{equal} of {found} equal",
        differences=[
            f"{table}: {difference}"
            for table, expected in tables.items()
            for difference in compare(expected, evidence.tables[table])
        ],
    )


def deleted_stay_deleted(users: Rows, evidence: Evidence) -> Finding:
    """Judge whether who was deleted is a tombstone with nothing personal, whatever came later."""
    deleted = {key for key, row in users.items() if row["status"] == "deleted"}
    tombstones = {
        key: row for key, row in evidence.tables["users"].items() if row["status"] == "deleted"
    }
    differences = [f"{key} still has {what}" for key, what in _remains(tombstones, evidence)]
    risen = deleted ^ tombstones.keys()
    return Finding(
        promise="The deleted stay deleted",
        expected=f"{len(deleted)} tombstones, nothing personal",
        found=f"{len(tombstones)} tombstones, {len(differences) or 'nothing'} personal",
        differences=[*differences, *(f"{key} is wrongly deleted or not" for key in sorted(risen))],
    )


def _remains(tombstones: Rows, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield who was deleted, and what of theirs is still there."""
    for key, row in tombstones.items():
        yield from ((key, name) for name in (*PERSONAL, "public_metadata") if row[name])
        if key in evidence.tables["user_data"]:
            yield key, "user data"
    ids = {row["id"]: key for key, row in tombstones.items()}
    for table in OWNED:
        for key, row in evidence.tables[table].items():
            if row["user_id"] in ids:
                yield ids[row["user_id"]], key


def the_api_tells_it(users: Rows, evidence: Evidence, *, reader: str) -> Finding:
    """Judge whether the API lists the living, newest first, and hides the deleted."""
    living = sorted(
        (row for row in users.values() if row["status"] not in ("pending", "deleted")),
        key=lambda row: (row["created_at"], row["id"]),
        reverse=True,
    )
    expected = {row["clerk_id"]: present(row) for row in living}
    listed = {str(each.get("clerk_id")): each for each in evidence.listed}
    differences = compare(expected, listed)
    if not differences and list(expected) != [each["clerk_id"] for each in evidence.listed]:
        differences.append("the list is out of order or repeats somebody")
    if evidence.me != expected[reader]:
        differences.append(f"/v1/me of {reader} is not that user")
    if evidence.deleted_status != 404:
        differences.append(f"somebody deleted was answered {evidence.deleted_status}, not 404")
    return Finding(
        promise="The API tells what is so",
        expected=f"{len(living)} living users, me, 404 for the deleted",
        found=f"{len(evidence.listed)} users, {evidence.me.get('first_name', 'nobody')}, "
        f"{evidence.deleted_status}",
        differences=differences,
    )
