"""Read what PostgreSQL's catalogue says of tables: those that are there, and those declared.

The declared ones are created in pg_temp and given up: so PostgreSQL itself spells both, and what
differs differs, down to the expression of a CHECK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from deploy.engine import open_engine
from deploy.errors import OperatorError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, MetaData

_SQL: Final = read_statements(__file__)


class Subject(NamedTuple):
    """What a fact is about."""

    table: str
    column: str
    """Empty where the fact is the table's."""
    aspect: str
    """`type`, `nullability`, `default`, `comment`, `constraint …`, `index …`, …"""


Facts: TypeAlias = "Mapping[Subject, str]"
"""Subject -> what is said of it, tables by name and columns in their order."""


async def read_facts(database_url: str, *, declared: MetaData) -> tuple[Facts, Facts]:
    """Return what the database says, and what it would say of the tables in `declared`.

    Changes nothing. Raises OperatorError when PostgreSQL does not answer or refuses.
    """
    engine = open_engine(database_url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_read_both, declared)
    except (OSError, TimeoutError, asyncpg.PostgresError, SQLAlchemyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise OperatorError(f"PostgreSQL cannot be read: {reason}.") from error


def _read_both(connection: Connection, declared: MetaData) -> tuple[Facts, Facts]:
    """Read inside one transaction, which is never committed."""
    found = _read(connection, temporary=False)
    apart = connection.execution_options(schema_translate_map={None: "pg_temp"})
    declared.create_all(apart, checkfirst=False)
    return found, _read(connection, temporary=True)


def _read(connection: Connection, *, temporary: bool) -> Facts:
    rows = connection.execute(sa.text(_SQL["facts"]), {"temporary": temporary})
    return {Subject(row.table, row.column, row.aspect): row.value for row in rows}
