"""A revision that is still to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.revisions import list_revisions

if TYPE_CHECKING:
    from pathlib import Path


def write_revision(
    scripts: Path, *, up: str, down: str = "SELECT 1", phase: str = "expand"
) -> None:
    """Write one more revision into a copy of the migrations: a statement up, and one down."""
    newest = list_revisions(scripts)[-1].id
    number = f"{int(newest) + 1:04}"
    (scripts / "versions" / f"{number}_throwaway.py").write_text(
        f'"""A throwaway."""\nfrom alembic import op\nrevision = "{number}"\n'
        f'down_revision = "{newest}"\nphase = "{phase}"\n'
        f"def upgrade():\n    op.execute({up!r})\n"
        f"def downgrade():\n    op.execute({down!r})\n"
    )
