"""What each revision is allowed to do, by its phase: see the migrations' env.py."""

from __future__ import annotations

import importlib.util
import io
import re
from typing import TYPE_CHECKING

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from deploy.revisions import MIGRATIONS, list_revisions

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted((MIGRATIONS / "versions").glob("*.py"))
FORBIDDEN = {
    "DROP": r"\bDROP\s+(?!CONSTRAINT|DEFAULT|NOT\s+NULL)\w+",
    "RENAME": r"\bRENAME\b",
    "change of a type": r"\bALTER\s+(COLUMN\s+)?\"?\w+\"?\s+(SET\s+DATA\s+)?TYPE\b",
    "SET NOT NULL": r"\bSET\s+NOT\s+NULL\b",
    "DROP DEFAULT": r"\bDROP\s+DEFAULT\b",
    "TRUNCATE": r"\bTRUNCATE\b",
    "REVOKE": r"\bREVOKE\b",
    "a column that old code does not fill": (
        r"\bADD\s+(COLUMN\s+)?(?!CONSTRAINT)(?=[^,;]*\bNOT\s+NULL\b)"
        r"(?![^,;]*\b(DEFAULT|GENERATED)\b)(?=\"?\w+\"?\s+\w)[^,;]*"
    ),
}
_DROPPED = re.compile(r"\bDROP\s+CONSTRAINT\s+(?:IF\s+EXISTS\s+)?\"?(\w+)", re.IGNORECASE)
_ADDED = re.compile(r"\bADD\s+CONSTRAINT\s+\"?(\w+)\"?\s+CHECK\b", re.IGNORECASE)
_SAID = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|--[^\n]*", re.DOTALL)


def _offences(sql: str) -> set[str]:
    """Return what an expansion must not do and this does; a CHECK may be replaced."""
    # Comments may say anything; the body of a DO is SQL and is looked at.
    plain = _SAID.sub(lambda said: said[0] if said[0].startswith(("$do$", "$$")) else "''", sql)
    found = {
        name for name, pattern in FORBIDDEN.items() if re.search(pattern, plain, re.IGNORECASE)
    }
    if set(_DROPPED.findall(plain)) - set(_ADDED.findall(plain)):
        found.add("DROP CONSTRAINT")
    return found


def _upgrade_sql(file: Path) -> str:
    """Return the SQL that a revision would run."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    said = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": said}
    )
    with Operations.context(context):
        module.upgrade()
    return said.getvalue()


def test_every_revision_says_its_phase() -> None:
    """One of the two."""
    revisions = list_revisions()

    assert len(revisions) == len(FILES)
    assert {each.phase for each in revisions} <= {"expand", "contract"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_expansion_takes_nothing_away(file: Path) -> None:
    """Code of the release before runs on while it is rolled out."""
    sql = _upgrade_sql(file)

    assert sql.strip()
    if 'phase = "expand"' in file.read_text(encoding="utf-8"):
        assert _offences(sql) == set()


@pytest.mark.parametrize(
    ("sql", "offences"),
    [
        ("ALTER TABLE t DROP COLUMN c", {"DROP"}),
        ("DROP TABLE t", {"DROP"}),
        ("DROP INDEX i", {"DROP"}),
        ("ALTER TABLE t RENAME COLUMN a TO b", {"RENAME"}),
        ("ALTER TABLE t ALTER COLUMN c TYPE bigint", {"change of a type"}),
        ("ALTER TABLE t ALTER c SET DATA TYPE bigint", {"change of a type"}),
        ("ALTER TABLE t ALTER COLUMN c SET NOT NULL", {"SET NOT NULL"}),
        ("ALTER TABLE t ALTER COLUMN c DROP DEFAULT", {"DROP DEFAULT"}),
        ("ALTER TABLE t ADD COLUMN c text NOT NULL", {"a column that old code does not fill"}),
        ("ALTER TABLE t ADD c text NOT NULL", {"a column that old code does not fill"}),
        ("DO $do$ BEGIN DROP TABLE t; END $do$", {"DROP"}),
        ("ALTER TABLE t DROP CONSTRAINT c", {"DROP CONSTRAINT"}),
        ("ALTER TABLE t DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (a IN ('x', 'y'))", set()),
        ("ALTER TABLE t ADD COLUMN c text NOT NULL DEFAULT ''", set()),
        ("ALTER TABLE t ADD COLUMN c text, ADD COLUMN d int NOT NULL DEFAULT 0", set()),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID", set()),
        ("ALTER TABLE t ALTER COLUMN c DROP NOT NULL", set()),
        ("CREATE TABLE t (c text NOT NULL)", set()),
        ("COMMENT ON TABLE t IS $clerkwork$do not DROP TABLE it$clerkwork$", set()),
    ],
)
def test_the_rule_knows_what_breaks_old_code(sql: str, offences: set[str]) -> None:
    """And what does not."""
    assert _offences(sql) == offences
