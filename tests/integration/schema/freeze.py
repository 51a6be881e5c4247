"""Keep the SQL of the services at the newest revision: `python -m tests.integration.schema.freeze`.

What stands in statements/<revision>.sql when the next revision comes stays there for good: it is
the old code that must run on new tables while a release is rolled out.
"""

from __future__ import annotations

from pathlib import Path

from deploy.revisions import list_revisions
from schema.postgres.statements import read_statements

ROOT = Path(__file__).parents[3]
STATEMENTS = Path(__file__).parent / "statements"
SERVICES = ("ingest", "workers", "api")


def current_statements() -> str:
    """Return every statement of the services, under the name of the folder and the file."""
    return "\n".join(
        f"-- name: {package}_{path.stem}_{name}\n{statement}\n"
        for package in SERVICES
        for path in sorted((ROOT / package).rglob("*.sql"))
        for name, statement in read_statements(str(path)).items()
    )


def newest_file() -> Path:
    """Return where they are kept until another revision comes."""
    return STATEMENTS / f"{list_revisions()[-1].id}.sql"


if __name__ == "__main__":
    newest_file().write_text(current_statements(), encoding="utf-8")
