"""The page of the tables, from the declarations that migrations must arrive at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.dialects import postgresql

from deploy.reference.markdown import codes, page, table
from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

_INTRODUCTION: Final = """\
# Tables

What PostgreSQL keeps. Each comment is in the database too: `\\d+ users` in `psql` shows it.
[Concepts](../concepts.md) has what they are for and why a row is what it is, and
[`contracts.py`](../../../schema/postgres/contracts.py) which columns others may rely on. Read them
as you like; only workers write, and `clerkwork` commands."""


def write_tables() -> str:
    """Return every table with its columns, keys and indexes."""
    tables = sorted(METADATA.tables.values(), key=lambda each: each.name)
    return page(_INTRODUCTION, *map(_write, tables))


def _write(each: sa.Table) -> str:
    rows = ([f"`{column.name}`", _type(column), column.comment or ""] for column in each.columns)
    parts = [f"## {each.name}", each.comment or "", table(["column", "type", "meaning"], rows)]
    return "\n\n".join([*parts, *_facts(each)])


def _type(column: sa.Column[Any]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
    name = column.type.compile(dialect).lower().replace("timestamp with time zone", "timestamptz")
    return name if column.nullable else f"{name}, not null"


def _facts(each: sa.Table) -> Iterator[str]:
    """Yield sentences about keys, indexes and partitions."""
    lines = [f"- primary key: {codes(column.name for column in each.primary_key)}"]
    for column in each.columns:
        for key in column.foreign_keys:
            end = f", deleted with it ({key.ondelete})" if key.ondelete == "CASCADE" else ""
            lines.append(f"- `{column.name}` names a row of `{key.column.table.name}`{end}")
    lines += [
        f"- {'unique index' if index.unique else 'index'} `{index.name}`:"
        f" {codes(str(part).replace(f'{each.name}.', '') for part in index.expressions)}"
        for index in sorted(each.indexes, key=lambda index: str(index.name))
    ]
    if by := each.dialect_options["postgresql"]["partition_by"]:
        lines.append(f"- partitioned by `{by}`")
    yield "\n".join(lines)
