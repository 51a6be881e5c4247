"""Alembic's entry: run the revisions on the connection that `clerkwork migrate` hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context

from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection


def run() -> None:
    """Run the revisions, all in one transaction."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=METADATA)
    with context.begin_transaction():
        context.run_migrations()


run()
