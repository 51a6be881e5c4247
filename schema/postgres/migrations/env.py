"""Alembic's entry: run the revisions on the connection that `clerkwork migrate` hands over.

While a release is rolled out, the code of the one before runs on the new tables. So a change that
the old code would not survive comes in two releases, and each revision says which half it is:

    phase = "expand"    adds: tables, indexes, columns that are nullable or have a default. The
                        old code reads and writes on as before. No DROP, RENAME, change of a type,
                        SET NOT NULL. A CHECK may be replaced by a wider one of the same name.
    phase = "contract"  takes away what an expansion has replaced, once no code that uses it runs:
                        in a later release than the code that stopped using it.

tests/unit/schema/test_revisions.py reads the SQL of each revision, and
tests/integration/schema/test_old_code.py runs the statements and writes of every earlier revision
on the newest tables. For a new revision, beside its file:

* write rows as its code leaves them into tests/integration/schema/rows/<revision>.sql, every
  table, odd values too: they have to survive its upgrade and downgrade;
* run `python -m tests.integration.schema.freeze`: it keeps the SQL of the services for good.

`clerkwork migrate --rehearse` tells what a revision locks. All of them run in one transaction, so
there is no CREATE INDEX CONCURRENTLY; on a large table, build the index by hand first, under the
name it will have, and let the revision say IF NOT EXISTS.
"""

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
