"""The revisions of the database: which there are, and how they are run on a connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import schema.postgres

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS: Final = Path(schema.postgres.__file__).parent / "migrations"
BASE: Final = "base"
"""What a database is at that has seen no revision."""
HEAD: Final = "head"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One step of the database; its file says what `phase` means."""

    id: str
    title: str
    phase: str
    """`expand` or `contract`."""


def list_revisions(scripts: Path = MIGRATIONS) -> list[Revision]:
    """Return every revision, the oldest first."""
    directory = ScriptDirectory.from_config(_configure(scripts))
    found = [
        Revision(id=each.revision, title=each.doc.rstrip("."), phase=each.module.phase)
        for each in directory.walk_revisions()
    ]
    return found[::-1]


def current_revision(connection: Connection) -> str:
    """Return the id of the revision that the database is at."""
    return MigrationContext.configure(connection).get_current_revision() or BASE


def run_revisions(connection: Connection, *, to: str, scripts: Path = MIGRATIONS) -> None:
    """Bring the database to a revision, up or down; the transaction is the caller's."""
    config = _configure(scripts)
    config.attributes["connection"] = connection
    order = [BASE, *(each.id for each in list_revisions(scripts))]
    now = current_revision(connection)
    if to in order and now in order and order.index(to) <= order.index(now):
        command.downgrade(config, to)
    else:
        command.upgrade(config, to)


def _configure(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    return config
